//! `Objective`, and custom losses from functions of `Var`s.

use std::collections::BTreeMap;

use tinker_transport::BoxError;
use tinker_types::Datum;

use super::var::Var;
use crate::custom_loss::value::CustomLoss;

/// A loss and its metrics.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Objective {
    /// The loss: one number.
    pub loss: Var,
    /// Metrics by name; see [`CustomLoss::metrics`].
    pub metrics: BTreeMap<String, f64>,
}

impl Objective {
    /// A loss without metrics.
    pub fn new(loss: Var) -> Self {
        Self {
            loss,
            metrics: BTreeMap::new(),
        }
    }

    tinker_types::setters! {
        /// Adds a metric.
        with_metric(name: impl Into<String>, value: f64) => metrics.insert(name.into(), value);
    }
}

impl From<Var> for Objective {
    fn from(loss: Var) -> Self {
        Self::new(loss)
    }
}

/// Makes a custom loss from a function, with gradients by automatic differentiation.
///
/// The function receives the data and the log probabilities of each datum's targets, in order, and returns the loss as
/// one number, alone or with metrics in an [`Objective`].
pub fn differentiate<O, E>(
    loss: impl FnOnce(&[Datum], &[Var]) -> Result<O, E>,
) -> impl FnOnce(&[Datum], &[Vec<f32>]) -> Result<CustomLoss, BoxError>
where
    O: Into<Objective>,
    E: Into<BoxError>,
{
    move |data, logprobs| {
        let leaves: Vec<Var> = logprobs
            .iter()
            .map(|values| Var::from_f32(values))
            .collect();
        let objective: Objective = loss(data, &leaves).map_err(Into::into)?.into();
        let gradients = objective.loss.gradients(&leaves)?;
        let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
        let value = objective.loss.values()[0];
        let mut custom = CustomLoss::new(value, gradients.into_iter().map(narrow).collect());
        custom.metrics = objective.metrics;
        Ok(custom)
    }
}
