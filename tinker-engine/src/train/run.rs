//! One `forward` or `forward_backward` on an adapter.

use super::check::check_batch;
use super::loss::term;
use super::packs::{Example, pack};
use super::pool::{GradientScope, TrainingPool};
use crate::adapter::Adapter;
use crate::backend::{BackendError, TrainBatch, TrainOutput};
use crate::kernels::all_finite;
use crate::model::{Model, Term};

/// Runs the batch and adds its gradients to the adapter's, unless it is forward-only. A batch that is refused, or whose
/// loss or gradients are not finite, leaves the adapter unchanged.
pub(crate) fn train(
    model: &Model,
    adapter: &mut Adapter,
    batch: &TrainBatch,
    pool: &mut TrainingPool,
) -> Result<TrainOutput, BackendError> {
    check_batch(&model.config, batch)?;
    let examples: Vec<_> = batch
        .data
        .iter()
        .map(|d| Example {
            tokens: &d.tokens,
            targets: &d.targets,
            width: d.targets_per_position,
        })
        .collect();
    // The datum of each cell, and the first cell of each datum.
    let mut first = 0;
    let mut starts = Vec::with_capacity(batch.data.len());
    let mut owner = Vec::new();
    for (i, datum) in batch.data.iter().enumerate() {
        starts.push(first);
        first += datum.targets.len();
        owner.resize(first, i);
    }
    let term_of = |cell: usize, logprob: f32| {
        let i = owner[cell];
        term(batch.loss, &batch.data[i], cell - starts[i], logprob)
    };

    let packs = pack(&examples);
    let scope = if batch.forward_only {
        GradientScope::None
    } else {
        GradientScope::Adapter
    };
    let size = adapter.size();
    let outcome = pool.run(
        model,
        Some(&adapter.packed()),
        &packs,
        scope,
        size,
        &term_of,
    );

    let mut logprobs = Vec::with_capacity(batch.data.len());
    for (pack, of_pack) in packs.iter().zip(&outcome.logprobs) {
        let mut rest = &of_pack[..];
        for i in pack.examples.clone() {
            let (mine, others) = rest.split_at(batch.data[i].targets.len());
            logprobs.push(mine.to_vec());
            rest = others;
        }
    }
    if let Some(i) = first_bad(&logprobs, term_of, &starts) {
        return Err(BackendError::user(format!(
            "datum {i}: its loss or gradient is not finite, so the batch was refused and the accumulated \
             gradients are unchanged; check its weights, advantages and logprobs"
        )));
    }
    if scope == GradientScope::Adapter {
        let mut grads = vec![0.0; size];
        pool.add_to(&mut grads);
        if !all_finite(&grads) {
            return Err(BackendError::user(
                "the gradients of the batch are not finite, so it was refused and the accumulated gradients \
                 are unchanged; check weights and advantages for huge values",
            ));
        }
        adapter.accumulate(&grads);
    }
    Ok(TrainOutput {
        logprobs,
        loss_sum: outcome.loss,
        metrics: Vec::new(),
    })
}

/// The first datum with a term that is not finite.
fn first_bad(
    logprobs: &[Vec<f32>],
    term: impl Fn(usize, f32) -> Option<Term>,
    starts: &[usize],
) -> Option<usize> {
    let bad = |cell: usize, lp: f32| {
        term(cell, lp).is_some_and(|t| !(t.loss.is_finite() && t.slope.is_finite()))
    };
    logprobs.iter().zip(starts).position(|(of_datum, start)| {
        of_datum
            .iter()
            .enumerate()
            .any(|(i, lp)| bad(start + i, *lp))
    })
}
