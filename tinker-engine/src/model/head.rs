//! Output head: logits, log probabilities of targets, the loss, and the gradients of all three.

use super::backward::NormBackward;
use super::forward::select;
use super::lora::{Lora, LoraSite};
use super::packed::{Model, Precision};
use super::projection::{Grads, Group, Projection, ProjectionBackward, ProjectionScratch};
use super::tape::{Tape, room, zeroed};
use crate::kernels::{add, log_sum_exp, probabilities};
use crate::threads::PoolHandle;

/// One target's part of the loss, and the derivative of the loss by its log probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Term {
    pub(crate) loss: f64,
    pub(crate) slope: f32,
}

/// A loss over the cells of a batch. Row `t` has the cells `starts[t]..starts[t + 1]`.
pub(crate) struct Objective<'a> {
    /// First cell of each row, and the number of cells: `[rows + 1]`.
    pub(crate) starts: &'a [usize],
    /// Target of each cell, `[cells]`.
    pub(crate) targets: &'a [u32],
    /// The term of a cell from its log probability; `None` where the loss has none.
    pub(crate) term: &'a dyn Fn(usize, f32) -> Option<Term>,
}

/// Buffers of the head.
#[derive(Debug, Default)]
pub(crate) struct HeadScratch {
    logits: Vec<f32>,
    low: Vec<f32>,
    active_low: Vec<f32>,
    active_x: Vec<f32>,
    active_dx: Vec<f32>,
    d_normed: Vec<f32>,
}

/// Floats of logits held at once.
const LOGITS: usize = 1 << 17;

/// Rows whose logits are computed together.
pub(crate) fn rows_at_once(vocab: usize) -> usize {
    (LOGITS / vocab).clamp(12, 256)
}

/// The output head on the rows of a forward pass.
pub(crate) struct HeadPass<'a> {
    pub(crate) pool: PoolHandle<'a>,
    pub(crate) model: &'a Model,
    pub(crate) lora: Option<&'a Lora>,
    pub(crate) objective: &'a Objective<'a>,
}

impl HeadPass<'_> {
    /// Computes the log probability of every cell, `[cells]`, and the loss. With `grads`, also the gradients of the head
    /// and `dx`, `[n, hidden]`, the gradient of the last block's output, from the cells whose slope is not 0. Returns the
    /// loss, and whether any slope is not 0.
    pub(crate) fn run(
        &self,
        tape: &Tape,
        logprobs: &mut [f32],
        mut grads: Option<&mut Grads<'_>>,
        dx: &mut Vec<f32>,
        scratch: &mut HeadScratch,
        projection: &mut ProjectionScratch,
    ) -> (f64, bool) {
        let Self {
            pool,
            model,
            lora,
            objective,
        } = *self;
        let n = objective.starts.len() - 1;
        let (d, vocab) = (model.config.hidden_size, model.config.vocab_size);
        let HeadScratch {
            logits,
            low,
            active_low,
            active_x,
            active_dx,
            d_normed,
        } = scratch;
        let site = lora.and_then(|lora| lora.head.as_ref());
        let width = site.map_or(0, LoraSite::width);
        let d_normed = if grads.is_some() {
            zeroed(d_normed, n * d)
        } else {
            &mut []
        };
        let (mut loss, mut any) = (0.0, false);
        let mut slopes: Vec<(u32, f32)> = Vec::new();
        let mut active: Vec<usize> = Vec::new();
        let at_once = rows_at_once(vocab);
        for start in (0..n).step_by(at_once) {
            let m = at_once.min(n - start);
            let logits = room(logits, m * vocab); // [m, vocab]
            let x = &tape.last_normed[start * d..];
            let groups = select(
                &[Group {
                    rows: 0..m,
                    with: lora,
                }],
                |lora| lora.head.as_ref(),
            );
            let logit_projection = Projection {
                linear: &model.head,
                precision: Precision::Exact,
                groups: &groups,
                accumulate: false,
            };
            logit_projection.apply(pool, m, x, logits, low);
            active.clear();
            for i in 0..m {
                let row = &logits[i * vocab..(i + 1) * vocab];
                let cells = objective.starts[start + i]..objective.starts[start + i + 1];
                if cells.is_empty() {
                    continue;
                }
                let norm = log_sum_exp(row);
                slopes.clear();
                for cell in cells {
                    let target = objective.targets[cell];
                    logprobs[cell] = row[target as usize] - norm;
                    if let Some(term) = (objective.term)(cell, logprobs[cell]) {
                        loss += term.loss;
                        if term.slope != 0.0 {
                            any = true;
                            slopes.push((target, term.slope));
                        }
                    }
                }
                if slopes.is_empty() || grads.is_none() {
                    continue;
                }
                // Rows with a slope move to the front, never to a place behind their own.
                let to = active.len();
                active.push(start + i);
                logits.copy_within(i * vocab..(i + 1) * vocab, to * vocab);
                let row = &mut logits[to * vocab..(to + 1) * vocab];
                let total: f32 = slopes.iter().map(|(_, slope)| slope).sum();
                probabilities(row, norm, -total);
                for (target, slope) in &slopes {
                    row[*target as usize] += slope;
                }
            }
            let Some(grads) = grads.as_deref_mut() else {
                continue;
            };
            let m = active.len();
            let (xs, dxs) = (room(active_x, m * d), room(active_dx, m * d)); // [m, hidden]
            let lows = room(active_low, m * width); // [m, rank]
            for (to, row) in active.iter().enumerate() {
                xs[to * d..(to + 1) * d].copy_from_slice(&tape.last_normed[row * d..(row + 1) * d]);
                lows[to * width..(to + 1) * width]
                    .copy_from_slice(&low[(row - start) * width..][..width]);
            }
            let back = ProjectionBackward {
                linear: &model.head,
                site,
                weight: &model.layout.head,
                bias: None,
                x: xs,
                low: lows,
            };
            back.run(pool, m, logits, Some(dxs), grads, projection);
            for (row, from) in active.iter().zip(dxs.chunks_exact(d)) {
                add(&mut d_normed[row * d..(row + 1) * d], from);
            }
        }
        if let Some(grads) = grads {
            let dx = zeroed(dx, n * d);
            let norm = NormBackward {
                x: &tape.last,
                w: &model.norm,
                factors: &tape.last_factor,
                at: model.layout.norm.start,
            };
            norm.run(pool, d_normed, dx, grads);
        }
        (loss, any)
    }
}
