//! Gradients of losses over log probabilities, so that nobody has to write them down.
//!
//! A [`Var`] is an array of numbers that remembers how it was computed. [`differentiate`] turns a
//! function of `Var`s into a custom loss for
//! [`forward_backward_custom`](crate::TrainingClient::forward_backward_custom): it is called with
//! the log probabilities of each datum, `[T]`, and gives the loss, one number.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tinker_client::autodiff::{Var, differentiate};
//! use tinker_client::{Datum, InvalidValue, LoraConfig, ServiceClient};
//! # let engine = tinker_local::LocalEngine::builtin()?;
//! # let service = ServiceClient::builder().leaf(engine.service()).build()?;
//! # let training = service.create_lora_training_client("tinker-local/tiny", LoraConfig::new(4)).await?;
//!
//! // Prefer the first datum to the second, as in direct preference optimization.
//! let preference = |_: &[Datum], logprobs: &[Var]| {
//!     let margin = logprobs[0].sum() - logprobs[1].sum();
//!     Ok::<_, InvalidValue>((1.0 + (-0.1 * margin).exp()).log())
//! };
//! let data = vec![Datum::supervised(&[104], &[105]), Datum::supervised(&[104], &[111])];
//! let output = training.forward_backward_custom(data, differentiate(preference)).await?;
//! assert!(output.loss_sum().is_some_and(|loss| loss > 0.0));
//! # Ok(())
//! # }
//! ```

mod arithmetic;
pub(crate) mod expr;
mod graph;
mod regularize;

pub use expr::Expr;
pub use regularize::{Regularizer, regularize};

use std::collections::BTreeMap;
use std::iter::Sum;

use tinker_transport::BoxError;
use tinker_types::{Datum, InvalidValue};

use crate::custom::CustomLoss;
use graph::{Node, Op};

/// An array of numbers that remembers how it was computed. Cheap to clone.
///
/// Operators work on each element; an array of one number meets every element of the other. Arrays
/// of other lengths do not fit each other: what is computed from them is refused by
/// [`gradients`](Self::gradients), with the operation that went wrong. Numbers are 64-bit floats.
///
/// It stays on the thread it was made on.
#[derive(Debug, Clone)]
pub struct Var(Node);

impl Var {
    /// An array to take gradients of, or a constant: they differ only in whether they are asked for.
    pub fn new(values: impl IntoIterator<Item = f64>) -> Self {
        Self(Node::leaf(values.into_iter().collect()))
    }

    /// The same from 32-bit floats, for example a loss input of a datum.
    pub fn from_f32(values: &[f32]) -> Self {
        Self::new(values.iter().map(|&value| f64::from(value)))
    }

    /// One number.
    pub fn constant(value: f64) -> Self {
        Self::new([value])
    }

    /// The numbers.
    pub fn values(&self) -> &[f64] {
        self.0.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values().len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.values().is_empty()
    }

    /// The same numbers, taken for constants: no gradient goes through.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self(self.0.detached())
    }

    /// `e` to the power of each.
    #[must_use]
    pub fn exp(&self) -> Self {
        self.map(Op::Exp, f64::exp)
    }

    /// Natural logarithm of each.
    #[must_use]
    pub fn log(&self) -> Self {
        self.map(Op::Log, f64::ln)
    }

    /// Each without its sign. Its derivative at 0 is taken for 0.
    #[must_use]
    pub fn abs(&self) -> Self {
        self.map(Op::Abs, f64::abs)
    }

    /// Square root of each. Its derivative at 0 is infinite.
    #[must_use]
    pub fn sqrt(&self) -> Self {
        self.map(Op::Sqrt, f64::sqrt)
    }

    /// `1 / (1 + e^-x)` of each.
    #[must_use]
    pub fn sigmoid(&self) -> Self {
        self.map(Op::Sigmoid, graph::sigmoid)
    }

    /// Logarithm of the sigmoid of each, precise for numbers of any size: what preference losses
    /// are made of.
    #[must_use]
    pub fn log_sigmoid(&self) -> Self {
        self.map(Op::LogSigmoid, graph::log_sigmoid)
    }

    /// Each, brought between two bounds. Where a bound takes hold, no gradient goes through.
    #[must_use]
    pub fn clamp(&self, low: f64, high: f64) -> Self {
        self.map(Op::Clamp(low, high), |value| value.max(low).min(high))
    }

    /// The lesser of each pair. The gradient goes to it; of equal ones, to that of `self`.
    #[must_use]
    pub fn min(&self, other: &Self) -> Self {
        self.pair(
            other,
            Op::Min,
            |left, right| if left <= right { left } else { right },
        )
    }

    /// The greater of each pair. The gradient goes to it; of equal ones, to that of `self`.
    #[must_use]
    pub fn max(&self, other: &Self) -> Self {
        self.pair(
            other,
            Op::Max,
            |left, right| if left >= right { left } else { right },
        )
    }

    /// All of them, added up: one number.
    #[must_use]
    pub fn sum(&self) -> Self {
        let sum = self.values().iter().sum();
        Self(Node::new(vec![sum], Op::Sum, vec![self.0.clone()]))
    }

    /// Their mean: one number. That of nothing is NaN.
    #[must_use]
    pub fn mean(&self) -> Self {
        self.sum() / self.len() as f64
    }

    fn map(&self, op: Op, function: impl Fn(f64) -> f64) -> Self {
        let values = self.values().iter().map(|&value| function(value)).collect();
        Self(Node::new(values, op, vec![self.0.clone()]))
    }

    fn pair(&self, other: &Self, op: Op, function: impl Fn(f64, f64) -> f64) -> Self {
        Self(Node::pair(&self.0, &other.0, op, function))
    }

    /// The one number there is.
    pub(crate) fn number(&self) -> Result<f64, InvalidValue> {
        if let Some(fault) = self.0.fault() {
            return Err(InvalidValue::new("loss", fault));
        }
        if self.len() != 1 {
            let why = format!("holds {} numbers; add them up with sum or mean", self.len());
            return Err(InvalidValue::new("loss", why));
        }
        Ok(self.values()[0])
    }

    /// The derivative of this one number by each number of `leaves`. What it does not depend on has
    /// a derivative of 0.
    ///
    /// # Errors
    /// This is not one number, or arrays of different lengths met on the way to it.
    pub fn gradients(&self, leaves: &[Self]) -> Result<Vec<Vec<f64>>, InvalidValue> {
        self.number()?;
        let gradients = graph::backward(&self.0);
        let of = |leaf: &Self| {
            let known = gradients.get(&leaf.0.key()).cloned();
            known.unwrap_or_else(|| vec![0.0; leaf.len()])
        };
        Ok(leaves.iter().map(of).collect())
    }
}

impl Sum for Var {
    /// The sum of arrays of one length, or of one number each; 0 for none.
    fn sum<I: Iterator<Item = Self>>(vars: I) -> Self {
        let vars: Vec<Self> = vars.collect();
        match vars.as_slice() {
            [] => Self::constant(0.0),
            // Two at a time, so that the way to each is short.
            [one] => one.clone(),
            _ => {
                let halves = vars.split_at(vars.len() / 2);
                let half = |vars: &[Self]| vars.iter().cloned().sum::<Self>();
                half(halves.0) + half(halves.1)
            }
        }
    }
}

/// A loss and what else there is to report.
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

    /// Adds a metric.
    #[must_use]
    pub fn with_metric(mut self, name: impl Into<String>, value: f64) -> Self {
        self.metrics.insert(name.into(), value);
        self
    }
}

impl From<Var> for Objective {
    fn from(loss: Var) -> Self {
        Self::new(loss)
    }
}

/// Makes a custom loss of a function that computes it: gradients come by themselves.
///
/// The function gets the data and the log probabilities of each datum's targets, in order, and gives
/// the loss as one number, alone or with metrics in an [`Objective`].
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

#[cfg(test)]
mod tests;
