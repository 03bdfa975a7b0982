//! `CustomLoss`: the value and gradient of a custom loss.

use std::collections::BTreeMap;

use tinker_types::InvalidValue;

/// The value and gradient of a custom loss, as returned by the function given to
/// [`forward_backward_custom`](crate::TrainingClient::forward_backward_custom).
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct CustomLoss {
    /// The loss over all data.
    pub loss: f64,
    /// Derivative of the loss with respect to each log probability: one array per datum, `[T]`, as long as its log
    /// probabilities.
    pub gradients: Vec<Vec<f32>>,
    /// Metrics, added to those of the server in the output. Their names are not checked.
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

    tinker_types::setters! {
        /// Adds a metric.
        with_metric(name: impl Into<String>, value: f64) => metrics.insert(name.into(), value);
    }

    /// Checks that the gradients match these log probabilities.
    pub(crate) fn check(&self, logprobs: &[Vec<f32>]) -> Result<(), InvalidValue> {
        if !self.loss.is_finite() {
            let why = format!("is {}; a loss must be finite", self.loss);
            return Err(InvalidValue::new("loss", why));
        }
        let (have, want) = (self.gradients.len(), logprobs.len());
        if have != want {
            let why = format!("has {have} arrays for {want} data; return one for each datum");
            return Err(InvalidValue::new("gradients", why));
        }
        for (datum, (gradient, logprobs)) in self.gradients.iter().zip(logprobs).enumerate() {
            let (have, want) = (gradient.len(), logprobs.len());
            let field = format!("gradients[{datum}]");
            if have != want {
                let why = format!("has {have} numbers for {want} log probabilities");
                return Err(InvalidValue::new(field, why));
            }
            if let Some(at) = gradient.iter().position(|value| !value.is_finite()) {
                let why = format!("is {}; gradients must be finite", gradient[at]);
                return Err(InvalidValue::new(format!("{field}[{at}]"), why));
            }
        }
        Ok(())
    }
}
