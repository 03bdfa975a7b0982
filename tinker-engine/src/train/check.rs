//! Checks of a training batch before anything is computed. Every message names the datum and the field.

use crate::backend::{BackendError, LossKind, TrainBatch, TrainDatum};
use crate::model::ModelConfig;

/// Checks that a batch fits the model and its loss.
pub(crate) fn check_batch(config: &ModelConfig, batch: &TrainBatch) -> Result<(), BackendError> {
    if batch.data.is_empty() {
        return Err(BackendError::user(
            "the batch is empty; give at least one datum",
        ));
    }
    check_loss(batch.loss)?;
    for (i, datum) in batch.data.iter().enumerate() {
        check_datum(config, batch.loss, datum)
            .map_err(|what| BackendError::user(format!("datum {i}: {what}")))?;
    }
    Ok(())
}

/// Checks that token ids are in the vocabulary.
pub(crate) fn check_tokens(
    config: &ModelConfig,
    field: &str,
    tokens: &[u32],
) -> Result<(), String> {
    let vocab = config.vocab_size;
    match tokens.iter().position(|token| *token as usize >= vocab) {
        Some(i) => Err(format!(
            "{field}[{i}] is {}; token ids run from 0 to {}",
            tokens[i],
            vocab - 1
        )),
        None => Ok(()),
    }
}

fn check_loss(loss: LossKind) -> Result<(), BackendError> {
    match loss {
        LossKind::Ppo { low, high } | LossKind::Cispo { low, high }
            if low.is_nan() || high.is_nan() || low > high =>
        {
            Err(BackendError::user(format!(
                "the clip thresholds {low} and {high} are not an interval; give numbers, the lower first"
            )))
        }
        LossKind::Dro { beta } if !beta.is_finite() => Err(BackendError::user(format!(
            "beta is {beta}; it must be finite"
        ))),
        _ => Ok(()),
    }
}

fn check_datum(config: &ModelConfig, loss: LossKind, datum: &TrainDatum) -> Result<(), String> {
    let (n, context, k) = (
        datum.tokens.len(),
        config.max_position_embeddings,
        datum.targets_per_position,
    );
    if n == 0 {
        return Err("model_input is empty".to_owned());
    }
    if n > context {
        return Err(format!(
            "model_input has {n} tokens; this model's context is {context}"
        ));
    }
    check_tokens(config, "model_input", &datum.tokens)?;
    if k == 0 || (k > 1 && loss != LossKind::CrossEntropy) {
        return Err(format!(
            "target_tokens has {k} targets for each position; this loss takes 1"
        ));
    }
    if datum.targets.len() != n * k {
        return Err(format!(
            "target_tokens has {} elements; {n} positions with {k} each need {}",
            datum.targets.len(),
            n * k
        ));
    }
    check_tokens(config, "target_tokens", &datum.targets)?;
    if loss == LossKind::CrossEntropy {
        return match &datum.weights {
            Some(weights) => {
                sized("weights", weights, n * k).and_then(|()| finite("weights", weights, |_| true))
            }
            None => Ok(()),
        };
    }
    let missing = |field: &str| format!("{field} is missing; this loss needs it");
    let advantages = datum
        .advantages
        .as_ref()
        .ok_or_else(|| missing("advantages"))?;
    let logprobs = datum.logprobs.as_ref().ok_or_else(|| missing("logprobs"))?;
    sized("advantages", advantages, n)?;
    finite("advantages", advantages, |_| true)?;
    sized("logprobs", logprobs, n)?;
    // Positions with an advantage of 0 are skipped, so their log probabilities may hold any value.
    finite("logprobs", logprobs, |t| advantages[t] != 0.0)?;
    if matches!(loss, LossKind::Ppo { .. } | LossKind::Cispo { .. }) {
        for (field, bounds) in [
            ("clip_low_threshold", &datum.clip_low),
            ("clip_high_threshold", &datum.clip_high),
        ] {
            let Some(bounds) = bounds else { continue };
            sized(field, bounds, n)?;
            if let Some(t) = (0..n).find(|t| advantages[*t] != 0.0 && bounds[*t].is_nan()) {
                return Err(format!("{field}[{t}] is NaN"));
            }
        }
    }
    Ok(())
}

fn sized(field: &str, values: &[f32], wants: usize) -> Result<(), String> {
    if values.len() == wants {
        return Ok(());
    }
    Err(format!(
        "{field} has {} elements; target_tokens has {wants}",
        values.len()
    ))
}

fn finite(field: &str, values: &[f32], matters: impl Fn(usize) -> bool) -> Result<(), String> {
    match (0..values.len()).find(|i| !values[*i].is_finite() && matters(*i)) {
        Some(i) => Err(format!("{field}[{i}] is {}; it must be finite", values[i])),
        None => Ok(()),
    }
}
