//! Attention of the newest positions of several sequences: one row each, as generating has it.

use super::super::config::ModelConfig;
use super::key_values::KeyValues;
use crate::kernels::{Position, Stretch, attend_position};
use crate::threads::Hands;

/// What the newest position of a sequence attends to, block by block.
#[derive(Debug)]
pub(crate) struct History<'a> {
    /// What other sequences read too.
    pub(crate) shared: &'a [KeyValues],
    /// So many positions of it, whole panels.
    pub(crate) shared_len: usize,
    /// What follows.
    pub(crate) own: &'a mut [KeyValues],
}

impl History<'_> {
    /// What a key head has of the first positions, in one block.
    fn stretches(
        &self,
        config: &ModelConfig,
        block: usize,
        head: usize,
        count: usize,
    ) -> [Stretch<'_>; 2] {
        let own = &self.own[block];
        let shared = self.shared.get(block).unwrap_or(own);
        [
            shared.first(config, head, self.shared_len),
            own.first(config, head, count - self.shared_len),
        ]
    }
}

impl KeyValues {
    /// What a key head has of the first positions.
    fn first(&self, config: &ModelConfig, head: usize, count: usize) -> Stretch<'_> {
        Stretch {
            keys: self.keys_of(config, head),
            values: self.values_of(config, head),
            capacity: self.capacity,
            count,
        }
    }
}

/// Stores keys and values of each row of `qkv` in its own history, at its own position, and attends from there to all
/// positions up to it. Fills `out`, `[rows, query]`, with the values that [`attend`](super::attend) gives.
#[expect(
    clippy::too_many_arguments,
    reason = "operands and outputs, used in one place"
)]
pub(crate) fn attend_rows(
    hands: Hands<'_>,
    config: &ModelConfig,
    block: usize,
    histories: &mut [History<'_>],
    positions: &[usize],
    qkv: &[f32],
    out: &mut [f32],
    scores: &mut Vec<f32>,
) {
    let (stride, width) = (config.qkv_width(), config.query_width());
    let work = positions.iter().map(|p| 2 * (p + 1) * width).sum();
    let parts = hands.parts(work);
    if parts == 1 {
        attend_some(config, block, histories, positions, qkv, out, scores);
        return;
    }
    let rows = positions.len().div_ceil(parts);
    let operands = positions.chunks(rows).zip(qkv.chunks(rows * stride));
    let parts = histories
        .chunks_mut(rows)
        .zip(operands)
        .zip(out.chunks_mut(rows * width));
    hands.each(parts, |((histories, (positions, qkv)), out)| {
        let scores = &mut Vec::new();
        attend_some(config, block, histories, positions, qkv, out, scores);
    });
}

fn attend_some(
    config: &ModelConfig,
    block: usize,
    histories: &mut [History<'_>],
    positions: &[usize],
    qkv: &[f32],
    out: &mut [f32],
    scores: &mut Vec<f32>,
) {
    let (stride, width) = (config.qkv_width(), config.query_width());
    let (heads, group) = (config.num_key_value_heads, config.group() * config.head_dim);
    // All are stored before the first is read: a store reaches into many lines of memory, and to read one of them
    // at once is to wait for it.
    let rows = qkv.chunks_exact(stride);
    for ((history, position), row) in histories.iter_mut().zip(positions).zip(rows.clone()) {
        let at = position - history.shared_len;
        history.own[block].put(config, at, row);
    }
    let outs = out.chunks_exact_mut(width);
    for (((row, out), position), history) in rows.zip(outs).zip(positions).zip(histories) {
        for head in 0..heads {
            let some = head * group..(head + 1) * group;
            let position = Position {
                queries: &row[some.clone()],
                stretches: history.stretches(config, block, head, position + 1),
                head_dim: config.head_dim,
                scale: config.softmax_scale(),
            };
            attend_position(position, scores, &mut out[some]);
        }
    }
}
