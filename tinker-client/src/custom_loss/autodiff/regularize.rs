//! Regularizers: penalties added to a loss.

use tinker_transport::BoxError;
use tinker_types::{Datum, InvalidValue};

use super::derivatives::derivatives;
use super::objective::Objective;
use super::var::Var;
use crate::custom_loss::value::CustomLoss;

/// A penalty on the log probabilities of the targets, added to a loss by [`regularize`]. Its value and gradient are
/// exact. It does not depend on the model's weights or activations.
///
/// Each target counts with its `w`, the loss input `weights` of its datum, which is 1 where a datum has none. So a prompt
/// with the weight 0 has no effect, as in the cross entropy; [`over_all_targets`](Self::over_all_targets) counts each
/// target as 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Regularizer {
    name: String,
    weight: f64,
    penalty: Penalty,
    ignores_weights: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Penalty {
    L1,
    L2,
    ElasticNet(f64),
    Entropy,
    Kl(String),
    Consistency,
    Orthogonality,
    Gradient(f64),
}

impl Regularizer {
    /// `sum w |lp|`.
    pub fn l1(weight: f64) -> Self {
        Self::new("l1", weight, Penalty::L1)
    }

    /// `sum w lp^2`.
    pub fn l2(weight: f64) -> Self {
        Self::new("l2", weight, Penalty::L2)
    }

    /// `r sum w |lp| + (1 - r) sum w lp^2`, with `r` from 0 to 1.
    pub fn elastic_net(weight: f64, l1_ratio: f64) -> Self {
        Self::new("elastic_net", weight, Penalty::ElasticNet(l1_ratio))
    }

    /// `sum w p lp`, the negative contribution of the targets to the entropy. A positive weight favors high entropy.
    pub fn entropy(weight: f64) -> Self {
        Self::new("entropy", weight, Penalty::Entropy)
    }

    /// `sum w (exp(q - lp) - (q - lp) - 1)`, an estimate of the KL divergence from a reference. `q` are the log
    /// probabilities of the reference, in the loss input of each datum with this key.
    pub fn kl(weight: f64, reference: impl Into<String>) -> Self {
        Self::new("kl", weight, Penalty::Kl(reference.into()))
    }

    /// `sum w w' (lp - lp')^2 / sum w w'` over consecutive pairs of data, two views of the same targets.
    pub fn consistency(weight: f64) -> Self {
        Self::new("consistency", weight, Penalty::Consistency)
    }

    /// Sum over all pairs of data of the squared cosine between their `w lp`, which must have the same length.
    pub fn orthogonality(weight: f64) -> Self {
        Self::new("orthogonality", weight, Penalty::Orthogonality)
    }

    /// `(|g| - target)^2`, where `g` is the gradient of the unregularized loss with respect to all log probabilities.
    /// Only that loss decides which targets count.
    pub fn gradient_penalty(weight: f64, target: f64) -> Self {
        Self::new("gradient_penalty", weight, Penalty::Gradient(target))
    }

    tinker_types::setters! {
        /// Sets the name in metrics, to tell apart two regularizers of the same kind.
        with_name(name: impl Into<String>) => name = name.into();
    }

    /// Counts each target as 1, whatever its weight.
    #[must_use]
    pub fn over_all_targets(mut self) -> Self {
        self.ignores_weights = true;
        self
    }

    fn new(name: &str, weight: f64, penalty: Penalty) -> Self {
        Self {
            name: name.to_owned(),
            weight,
            penalty,
            ignores_weights: false,
        }
    }

    fn check(&self) -> Result<(), InvalidValue> {
        let refuse = |why: &str| Err(InvalidValue::new(format!("regularizer {}", self.name), why));
        if !self.weight.is_finite() {
            return refuse("has a weight that is not finite");
        }
        match self.penalty {
            Penalty::ElasticNet(ratio) if !(0.0..=1.0).contains(&ratio) => {
                refuse("has an l1_ratio outside 0 to 1")
            }
            Penalty::Gradient(target) if !(target.is_finite() && target >= 0.0) => {
                refuse("has a negative target; use 0 or more")
            }
            _ => Ok(()),
        }
    }

    /// The weight of each target.
    fn weights(&self, data: &[Datum], leaves: &[Var]) -> Result<Vec<Var>, InvalidValue> {
        let of = |(index, (datum, lp)): (usize, (&Datum, &Var))| {
            let given = datum.loss_fn_inputs.get("weights");
            let Some(given) = given.filter(|_| !self.ignores_weights) else {
                return Ok(Var::from_f32(&vec![1.0; lp.len()]));
            };
            let dense = given.to_dense();
            let values = dense.as_f32().filter(|values| values.len() == lp.len());
            values.map(Var::from_f32).ok_or_else(|| {
                let why = format!("is no float32 value for each of {} targets", lp.len());
                InvalidValue::new(format!("data[{index}].loss_fn_inputs.weights"), why)
            })
        };
        data.iter().zip(leaves).enumerate().map(of).collect()
    }

    /// The weighted penalty: one number.
    fn term(&self, base: &Var, data: &[Datum], leaves: &[Var]) -> Result<Var, InvalidValue> {
        self.check()?;
        let refuse = |why: String| InvalidValue::new(format!("regularizer {}", self.name), why);
        let weights = self.weights(data, leaves)?;
        let over = |of: &dyn Fn(&Var) -> Var| {
            let terms = leaves.iter().zip(&weights);
            terms.map(|(lp, w)| (w * of(lp)).sum()).sum::<Var>()
        };
        let l1 = || over(&Var::abs);
        let l2 = || over(&|lp| lp * lp);
        let fits = |left: &Var, right: &Var| {
            let (left, right) = (left.len(), right.len());
            let why = || {
                refuse(format!(
                    "compares data of {left} and {right} targets; use one length"
                ))
            };
            (left == right).then_some(()).ok_or_else(why)
        };
        let penalty = match &self.penalty {
            Penalty::L1 => l1(),
            Penalty::L2 => l2(),
            Penalty::ElasticNet(ratio) => *ratio * l1() + (1.0 - ratio) * l2(),
            Penalty::Entropy => over(&|lp| lp.exp() * lp),
            Penalty::Kl(key) => {
                let mut sum = Var::constant(0.0);
                let targets = data.iter().zip(leaves).zip(&weights);
                for (index, ((datum, lp), w)) in targets.enumerate() {
                    let tensor = datum.loss_fn_inputs.get(key);
                    let values = tensor.and_then(|tensor| tensor.as_f32());
                    let values = values.ok_or_else(|| {
                        refuse(format!(
                            "needs loss_fn_inputs.{key} of data[{index}] as float32"
                        ))
                    })?;
                    let reference = Var::from_f32(values);
                    fits(&reference, lp)?;
                    let ahead = reference - lp;
                    sum = sum + (w * (ahead.exp() - &ahead - 1.0)).sum();
                }
                sum
            }
            Penalty::Consistency => {
                if !leaves.len().is_multiple_of(2) {
                    let why = format!("needs data in pairs, but got {}", leaves.len());
                    return Err(refuse(why));
                }
                let mut sum = Var::constant(0.0);
                let pairs = leaves.chunks_exact(2).zip(weights.chunks_exact(2));
                for (pair, both) in pairs {
                    fits(&pair[0], &pair[1])?;
                    let apart = &pair[0] - &pair[1];
                    let w = &both[0] * &both[1];
                    let count: f64 = w.values().iter().sum();
                    if count != 0.0 {
                        sum = sum + (w * &apart * &apart).sum() / count;
                    }
                }
                sum
            }
            Penalty::Orthogonality => {
                let mut sum = Var::constant(0.0);
                let weighted = leaves.iter().zip(&weights).map(|(lp, w)| w * lp);
                let weighted: Vec<Var> = weighted.collect();
                for (index, left) in weighted.iter().enumerate() {
                    for right in &weighted[index + 1..] {
                        fits(left, right)?;
                        let dot = (left * right).sum();
                        let lengths = (left * left).sum() * (right * right).sum();
                        sum = sum + &dot * &dot / (lengths + TINY);
                    }
                }
                sum
            }
            Penalty::Gradient(target) => {
                let slopes = derivatives(base, leaves);
                let squares: Var = slopes.iter().map(|slope| (slope * slope).sum()).sum();
                let beyond = (squares + TINY).sqrt() - *target;
                &beyond * &beyond
            }
        };
        Ok(self.weight * penalty)
    }
}

/// Keeps norms differentiable at 0.
const TINY: f64 = 1e-12;

/// Adds penalties to a loss, for
/// [`forward_backward_custom`](crate::TrainingClient::forward_backward_custom). The loss is written as
/// for [`differentiate`](super::differentiate).
///
/// Metrics report the value and the gradient norm of each term as `loss_term/<name>` and `grad_norm/<name>`, where the
/// unregularized loss is called `base`, and `grad_norm/total`.
///
#[doc = setup!(training)]
/// use tinker_client::autodiff::{Regularizer, Var, regularize};
/// use tinker_client::{Datum, InvalidValue};
///
/// let likelihood = |_: &[Datum], logprobs: &[Var]| {
///     Ok::<_, InvalidValue>(-logprobs.iter().map(Var::sum).sum::<Var>())
/// };
/// let terms = [Regularizer::l2(0.01), Regularizer::entropy(0.1)];
/// let data = vec![Datum::supervised(&[72, 105], &[33])];
/// let output = training.forward_backward_custom(data, regularize(likelihood, terms)).await?;
/// assert!(output.metrics["grad_norm/entropy"] > 0.0);
/// # Ok(())
/// # }
/// ```
pub fn regularize<O, E>(
    loss: impl FnOnce(&[Datum], &[Var]) -> Result<O, E>,
    terms: impl IntoIterator<Item = Regularizer>,
) -> impl FnOnce(&[Datum], &[Vec<f32>]) -> Result<CustomLoss, BoxError>
where
    O: Into<Objective>,
    E: Into<BoxError>,
{
    let terms: Vec<Regularizer> = terms.into_iter().collect();
    move |data, logprobs| {
        let leaves: Vec<Var> = logprobs.iter().map(|lps| Var::from_f32(lps)).collect();
        let objective: Objective = loss(data, &leaves).map_err(Into::into)?.into();
        let base = objective.loss;
        let mut custom = CustomLoss::new(0.0, Vec::new());
        custom.metrics = objective.metrics;
        let mut total: Vec<Vec<f64>> = leaves.iter().map(|lps| vec![0.0; lps.len()]).collect();
        let mut add = |name: &str, term: &Var| -> Result<(), InvalidValue> {
            let value = term.number()?;
            let gradient = term.gradients(&leaves)?;
            custom.loss += value;
            report(&mut custom, name, value, &gradient);
            let parts = gradient.iter().flatten();
            for (total, part) in total.iter_mut().flatten().zip(parts) {
                *total += part;
            }
            Ok(())
        };
        add("base", &base)?;
        for term in &terms {
            add(&term.name, &term.term(&base, data, &leaves)?)?;
        }
        custom
            .metrics
            .insert("grad_norm/total".to_owned(), norm(&total));
        let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
        custom.gradients = total.into_iter().map(narrow).collect();
        Ok(custom)
    }
}

fn report(custom: &mut CustomLoss, name: &str, value: f64, gradient: &[Vec<f64>]) {
    let metrics = &mut custom.metrics;
    metrics.insert(format!("loss_term/{name}"), value);
    metrics.insert(format!("grad_norm/{name}"), norm(gradient));
}

fn norm(gradient: &[Vec<f64>]) -> f64 {
    let squares = gradient.iter().flatten().map(|value| value * value);
    squares.sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests;
