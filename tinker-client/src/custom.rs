//! Losses of one's own.

mod create;
mod graph;
mod handle;
mod name;
mod registry;

pub(crate) use create::create;
pub use graph::LossGraph;
pub use handle::LossHandle;
pub(crate) use registry::Losses;

use std::collections::BTreeMap;

use tinker_types::InvalidValue;

/// The value of a loss of one's own, and its gradient; what the function given to
/// [`forward_backward_custom`](crate::TrainingClient::forward_backward_custom) returns.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct CustomLoss {
    /// The loss, summed over all data as one likes.
    pub loss: f64,
    /// Derivative of the loss by each log probability: one array for each datum, as long as its
    /// log probabilities.
    pub gradients: Vec<Vec<f32>>,
    /// Metrics, which the output carries beside the server's. Their names are not checked.
    pub metrics: BTreeMap<String, f64>,
}

impl CustomLoss {
    /// A loss without metrics.
    pub fn new(loss: f64, gradients: Vec<Vec<f32>>) -> Self {
        Self {
            loss,
            gradients,
            metrics: BTreeMap::new(),
        }
    }

    /// Adds a metric.
    #[must_use]
    pub fn with_metric(mut self, name: impl Into<String>, value: f64) -> Self {
        self.metrics.insert(name.into(), value);
        self
    }

    /// Does it fit log probabilities of these lengths?
    pub(crate) fn check(&self, logprobs: &[Vec<f32>]) -> Result<(), InvalidValue> {
        if !self.loss.is_finite() {
            let why = format!("is {}; a loss is a finite number", self.loss);
            return Err(InvalidValue::new("loss", why));
        }
        let (have, want) = (self.gradients.len(), logprobs.len());
        if have != want {
            let why = format!("holds {have} arrays for {want} data; give one for each");
            return Err(InvalidValue::new("gradients", why));
        }
        for (datum, (gradient, logprobs)) in self.gradients.iter().zip(logprobs).enumerate() {
            let (have, want) = (gradient.len(), logprobs.len());
            let place = format!("gradients[{datum}]");
            if have != want {
                let why = format!("holds {have} numbers for {want} log probabilities");
                return Err(InvalidValue::new(place, why));
            }
            if let Some(at) = gradient.iter().position(|value| !value.is_finite()) {
                let why = format!("is {}; gradients are finite numbers", gradient[at]);
                return Err(InvalidValue::new(format!("{place}[{at}]"), why));
            }
        }
        Ok(())
    }
}
