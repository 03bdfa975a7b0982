//! Sampling buffers of one thread, and the output head without a backward pass.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::draw::DrawScratch;
use crate::kernels::log_sum_exp;
use crate::model::{ForwardPass, Group, LoraSite, Projection, Tape, room, rows_at_once};

/// Buffers of one thread, kept from step to step.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) tape: Tape,
    pub(super) draw: DrawScratch,
    logits: Vec<f32>,
    low: Vec<f32>,
}

impl Scratch {
    /// Calls `each` with row number, logits, `[vocab]`, and the logarithm of their normaliser, for some rows of the last
    /// forward pass.
    pub(super) fn logits(
        &mut self,
        pass: &ForwardPass<'_>,
        rows: Range<usize>,
        mut each: impl FnMut(usize, &[f32], f32, &mut DrawScratch),
    ) {
        let model = pass.model;
        let (d, vocab) = (model.config.hidden_size, model.config.vocab_size);
        let at_once = rows_at_once(vocab);
        for start in rows.clone().step_by(at_once) {
            let end = (start + at_once).min(rows.end);
            let logits = room(&mut self.logits, (end - start) * vocab); // [rows, vocab]
            let sites: Vec<Group<Option<&LoraSite>>> = pass
                .groups
                .iter()
                .filter(|g| g.rows.start < end && g.rows.end > start)
                .map(|g| Group {
                    rows: g.rows.start.max(start) - start..g.rows.end.min(end) - start,
                    with: g.with.and_then(|lora| lora.head.as_ref()),
                })
                .collect();
            let x = &self.tape.last_normed[start * d..];
            let projection = Projection {
                linear: &model.head,
                precision: pass.precision,
                groups: &sites,
                accumulate: false,
            };
            projection.apply(pass.pool, end - start, x, logits, &mut self.low);
            for (row, logits) in (start..end).zip(logits.chunks_exact(vocab)) {
                each(row, logits, log_sum_exp(logits), &mut self.draw);
            }
        }
    }
}

/// Locks a scratch. One left by a panic is usable: its content has no meaning between steps.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
