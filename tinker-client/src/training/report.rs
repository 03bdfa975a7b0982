//! The loss of a pass on servers that do not report it.

use tinker_types::{Datum, ForwardBackwardOutput, Loss, LossFn, TensorData};

/// Inputs of the computation of a loss.
pub(super) enum Report {
    /// The weights of each datum, for cross entropy; `None` where all are 1.
    Weights(Vec<Option<TensorData>>),
    /// The loss cannot be computed here.
    Unknown(LossFn),
}

impl Report {
    pub(super) fn of(data: &[Datum], loss: &Loss) -> Self {
        if loss.name != LossFn::CrossEntropy {
            return Self::Unknown(loss.name.clone());
        }
        let weights = |datum: &Datum| datum.loss_fn_inputs.get("weights").cloned();
        Self::Weights(data.iter().map(weights).collect())
    }

    /// Adds the loss to an output without one. Returns false if that is not possible.
    pub(super) fn complete(&self, output: &mut ForwardBackwardOutput) -> bool {
        if output.metrics.keys().any(|name| name.starts_with("loss")) {
            return true;
        }
        let Self::Weights(weights) = self else {
            return false;
        };
        let Some(loss) = cross_entropy(weights, output) else {
            return false;
        };
        output.metrics.insert("loss:sum".to_owned(), loss);
        true
    }

    /// The name of the loss, for messages.
    pub(super) fn loss(&self) -> &str {
        match self {
            Self::Weights(_) => LossFn::CrossEntropy.as_str(),
            Self::Unknown(name) => name.as_str(),
        }
    }
}

/// Minus the weighted sum of the log probabilities.
fn cross_entropy(weights: &[Option<TensorData>], output: &ForwardBackwardOutput) -> Option<f64> {
    if weights.len() != output.loss_fn_outputs.len() {
        return None;
    }
    let mut sum = 0.0;
    for (index, weights) in weights.iter().enumerate() {
        let logprobs = output.logprobs(index)?;
        let Some(weights) = weights else {
            sum += logprobs
                .iter()
                .map(|&logprob| f64::from(logprob))
                .sum::<f64>();
            continue;
        };
        let weights = weights.to_dense();
        let weights = weights
            .as_f32()
            .filter(|weights| weights.len() == logprobs.len())?;
        let products = weights.iter().zip(logprobs);
        // A weight of 0 leaves its position out, whatever the server gives for it.
        let products = products.filter(|(weight, _)| **weight != 0.0);
        sum += products
            .map(|(weight, logprob)| f64::from(*weight) * f64::from(*logprob))
            .sum::<f64>();
    }
    Some(-sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn output(logprobs: &[&[f32]]) -> ForwardBackwardOutput {
        let mut output = ForwardBackwardOutput::default();
        output.loss_fn_outputs = logprobs
            .iter()
            .map(|values| BTreeMap::from([("logprobs".to_owned(), values.to_vec().into())]))
            .collect();
        output
    }

    #[test]
    fn the_loss_is_minus_the_weighted_sum_of_the_log_probabilities() {
        // Targets 2, 3, 4 with weights 0, 1, 1, and targets 6 with weight 1 by default.
        let data = vec![
            Datum::supervised(&[1, 2], &[3, 4]),
            Datum::new(tinker_types::ModelInput::from_tokens([5]))
                .with_input("target_tokens", vec![6_i64]),
        ];
        let report = Report::of(&data, &Loss::cross_entropy());
        let mut answer = output(&[&[f32::NAN, -0.5, -1.5], &[-2.0]]);
        assert!(report.complete(&mut answer));
        assert_eq!(answer.loss_sum(), Some(4.0));

        answer.metrics.insert("loss:sum".to_owned(), 7.0);
        assert!(report.complete(&mut answer));
        assert_eq!(answer.loss_sum(), Some(7.0), "the server's own value stays");
        for mut odd in [output(&[&[-1.0, -1.0, -1.0]]), output(&[&[-1.0], &[-2.0]])] {
            assert!(!report.complete(&mut odd) && odd.loss_sum().is_none());
        }
        let other = Report::of(&data, &Loss::importance_sampling());
        assert!(!other.complete(&mut output(&[&[-1.0, -1.0, -1.0], &[-2.0]])));
        assert_eq!(other.loss(), "importance_sampling");
    }
}
