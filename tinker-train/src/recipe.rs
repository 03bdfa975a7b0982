//! Recipes: the batch of each step.

use std::collections::BTreeMap;
use std::fmt;

use futures_util::future::BoxFuture;
use tinker_client::{CustomLoss, Datum, ForwardBackwardOutput, Loss, SamplingClient};

use crate::error::{BoxError, TrainError};
use crate::event::Sampled;

/// Loss and gradients as a function of the data and the log probabilities of their targets.
pub type Custom =
    Box<dyn FnOnce(&[Datum], &[Vec<f32>]) -> Result<CustomLoss, BoxError> + Send + 'static>;

/// Measurements on the result of a pass.
pub type Measure =
    Box<dyn FnOnce(&ForwardBackwardOutput) -> BTreeMap<String, f64> + Send + 'static>;

/// The position in a run for which a batch is wanted.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Position<'a> {
    /// Number of the batch, from 0. With gradients of `n` batches for an update, step `s` has the batches from `s * n`.
    pub batch: usize,
    /// Number of the step, from 0.
    pub step: usize,
    /// A sampler of the weights before the step, if [`Recipe::samples`].
    pub sampler: Option<&'a SamplingClient>,
}

/// A source of batches. A batch is a pure function of the recipe and the position, so that a continued run repeats what
/// an uninterrupted one does.
pub trait Recipe: Send + Sync {
    /// Whether batches depend on the weights before their step. If so, one step is in flight at a time, and the first batch of
    /// the next one is made while its results arrive. Default false.
    fn samples(&self) -> bool {
        false
    }

    /// The batch of a position. An empty one changes nothing: the step has a row of metrics and no update.
    fn batch<'a>(&'a self, position: Position<'a>) -> BoxFuture<'a, Result<Batch, TrainError>>;
}

/// The loss of a batch.
#[non_exhaustive]
pub enum BatchLoss {
    /// A loss of the server.
    Builtin(Loss),
    /// A loss that the client computes, in two passes.
    Custom(Custom),
}

/// The data of one pass.
#[derive(Debug)]
#[non_exhaustive]
pub struct Batch {
    /// Examples.
    pub data: Vec<Datum>,
    /// Loss.
    pub loss: BatchLoss,
    /// Number of tokens in the data.
    pub tokens: usize,
    /// Number of tokens that are learned; the loss is reported per learned token.
    pub learned: usize,
    /// Number by which the summed loss is divided in the metrics. Default: [`Self::learned`].
    pub per: Option<f64>,
    /// Measurements that are known before the pass.
    pub metrics: BTreeMap<String, f64>,
    /// Measurements on its result.
    pub measure: Option<Measured>,
    /// Notes for the user.
    pub notes: Vec<String>,
    /// A sample in the batch, for people.
    pub sample: Option<Sampled>,
}

/// A [`Measure`] that can be printed.
pub struct Measured(pub Measure);

impl Batch {
    /// A batch for a loss of the server.
    pub fn new(data: Vec<Datum>, loss: Loss) -> Self {
        Self::with(data, BatchLoss::Builtin(loss))
    }

    /// A batch for a loss of the client.
    pub fn custom(data: Vec<Datum>, loss: Custom) -> Self {
        Self::with(data, BatchLoss::Custom(loss))
    }

    fn with(data: Vec<Datum>, loss: BatchLoss) -> Self {
        Self {
            tokens: data
                .iter()
                .filter_map(|datum| datum.model_input.length().ok())
                .sum(),
            learned: data.iter().map(Datum::learned_tokens).sum(),
            data,
            loss,
            per: None,
            metrics: BTreeMap::new(),
            measure: None,
            notes: Vec::new(),
            sample: None,
        }
    }
}

impl fmt::Debug for BatchLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(loss) => f.debug_tuple("Builtin").field(loss).finish(),
            Self::Custom(_) => f.write_str("Custom"),
        }
    }
}

impl fmt::Debug for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Measured")
    }
}
