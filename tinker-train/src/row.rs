//! Rows of the metrics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Fields of a row that differ between two runs with the same settings: times, and names that the server chooses.
pub const VARYING: [&str; 2] = ["seconds", "checkpoint"];

/// A finished step: a line of `metrics.jsonl`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepRow {
    /// Number of the step, from 1.
    #[serde(rename = "step")]
    pub number: usize,
    /// Number of tokens in the batch.
    pub tokens: usize,
    /// Number of tokens in the batch that are learned.
    pub learned_tokens: usize,
    /// Loss per learned token before the step, in nats for supervised learning; `None` if the server reports neither it nor
    /// the log probabilities that it follows from.
    pub loss: Option<f64>,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Norm of the gradient of the summed loss; `None` if the server does not report it.
    pub grad_norm: Option<f64>,
    /// Seconds since the first step was submitted.
    pub seconds: f64,
    /// Measurements of the recipe and of an evaluation after the step, by name. Finite.
    #[serde(flatten)]
    pub metrics: BTreeMap<String, f64>,
    /// Checkpoint after the step, if one was saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

impl StepRow {
    /// The row of a step, without measurements.
    pub fn new(number: usize) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }

    /// A measurement by name: one of the recipe or of an evaluation, or `loss`.
    pub fn metric(&self, name: &str) -> Option<f64> {
        match name {
            "loss" => self.loss,
            "grad_norm" => self.grad_norm,
            _ => self.metrics.get(name).copied(),
        }
    }
}
