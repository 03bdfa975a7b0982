//! What one thread needs to sample, and the output head without a way back.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::draw::DrawScratch;
use crate::kernels::log_sum_exp;
use crate::model::{Group, Lora, LoraSite, Model, Precision, Tape, project, room, rows_at_once};
use crate::threads::Hands;

/// Buffers of one thread, kept from step to step.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) tape: Tape,
    pub(super) scores: Vec<f32>,
    pub(super) draw: DrawScratch,
    logits: Vec<f32>,
    low: Vec<f32>,
}

impl Scratch {
    /// Calls `each` with row number, logits and the logarithm of their normaliser, for the rows
    /// `first..first + n` of the last forward pass.
    #[expect(
        clippy::too_many_arguments,
        reason = "rows of a pass, and what to do with them"
    )]
    pub(super) fn logits(
        &mut self,
        hands: Hands<'_>,
        model: &Model,
        precision: Precision,
        groups: &[Group<Option<&Lora>>],
        first: usize,
        n: usize,
        mut each: impl FnMut(usize, &[f32], f32, &mut DrawScratch),
    ) {
        let (d, vocab) = (model.config.hidden_size, model.config.vocab_size);
        let at_once = rows_at_once(vocab);
        for start in (first..first + n).step_by(at_once) {
            let end = (start + at_once).min(first + n);
            let logits = room(&mut self.logits, (end - start) * vocab);
            let sites: Vec<Group<Option<&LoraSite>>> = groups
                .iter()
                .filter(|g| g.rows.start < end && g.rows.end > start)
                .map(|g| Group {
                    rows: g.rows.start.max(start) - start..g.rows.end.min(end) - start,
                    with: g.with.and_then(|lora| lora.head.as_ref()),
                })
                .collect();
            let x = &self.tape.last_normed[start * d..];
            project(
                hands,
                &model.head,
                precision,
                &sites,
                x,
                logits,
                end - start,
                false,
                &mut self.low,
            );
            for (row, logits) in (start..end).zip(logits.chunks_exact(vocab)) {
                each(row, logits, log_sum_exp(logits), &mut self.draw);
            }
        }
    }
}

/// A scratch left by a panic is as good as any: its contents mean nothing between steps.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
