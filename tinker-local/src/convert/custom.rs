//! Passes with an uploaded loss.

use std::collections::BTreeMap;
use std::sync::Arc;

use tinker_engine::backend::{BackendError, BaseModelInfo, LossKind, TrainBatch};
use tinker_types::{Datum, InvalidValue};

use super::datum::{convert_bare, each};
use super::pass::{Pass, Slopes};
use crate::graph::CustomLoss;

/// A pass with this loss, summed over the data. Metrics are summed or averaged as their names say.
pub(super) fn pass(
    data: &[Datum],
    loss: Arc<CustomLoss>,
    forward_only: bool,
    model: &BaseModelInfo,
) -> Result<Pass, InvalidValue> {
    let both = each(data, |datum, room| {
        let converted = convert_bare(datum, model, room)?;
        let positions = converted.tokens.len();
        let is_matrix = datum
            .loss_fn_inputs
            .get("target_tokens")
            .and_then(|targets| targets.shape())
            .is_some_and(|shape| shape.len() == 2);
        let shape = if is_matrix {
            vec![positions, converted.targets_per_position]
        } else {
            vec![positions]
        };
        let inputs = loss.inputs(&datum.loss_fn_inputs, shape);
        Ok((converted, inputs.map_err(|e| e.within("loss_fn_inputs"))?))
    })?;
    let (data, inputs): (Vec<_>, Vec<_>) = both.into_iter().unzip();
    let batch = TrainBatch {
        data,
        loss: LossKind::CrossEntropy,
        forward_only,
    };
    let slopes = move |logprobs: &[Vec<f32>]| {
        let refuse =
            |at: usize, why: &str| Err(BackendError::user(format!("data[{at}]: the loss: {why}")));
        let mut slopes = Slopes::default();
        let mut metrics: BTreeMap<String, f64> = BTreeMap::new();
        for (at, (inputs, logprobs)) in inputs.iter().zip(logprobs).enumerate() {
            let evaluated = match loss.evaluate(logprobs, inputs) {
                Ok(evaluated) => evaluated,
                Err(why) => return refuse(at, &why),
            };
            if !forward_only && !evaluated.depends {
                return refuse(
                    at,
                    "does not depend on logprobs, so nothing can be learned from it",
                );
            }
            if !forward_only && !evaluated.gradient.iter().all(|slope| slope.is_finite()) {
                return refuse(at, "has a derivative that is not finite; mask what is not");
            }
            slopes.loss_sum += evaluated.loss;
            let of_datum = evaluated.gradient.iter().map(|&slope| slope as f32);
            slopes.of_data.push(of_datum.collect());
            for (name, value) in evaluated.metrics {
                *metrics.entry(name).or_default() += value;
            }
        }
        let count = inputs.len() as f64;
        slopes.metrics = metrics
            .into_iter()
            .map(|(name, sum)| {
                let is_mean = name.ends_with(":mean");
                (name, if is_mean { sum / count } else { sum })
            })
            .collect();
        Ok(slopes)
    };
    Ok(Pass {
        batch,
        surrogate: Some(Box::new(slopes)),
    })
}
