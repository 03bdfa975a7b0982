//! Attention of the newest position of several sequences, one row each, as in generation.

use super::super::config::ModelConfig;
use super::key_values::KeyValues;
use crate::kernels::{Position, Stretch, attend_position};
use crate::threads::PoolHandle;

/// Keys and values that the newest position of a sequence attends to, block by block.
#[derive(Debug)]
pub(crate) struct History<'a> {
    /// Caches that other sequences read as well.
    pub(crate) shared: &'a [KeyValues],
    /// Positions of `shared` that are used, whole panels.
    pub(crate) shared_len: usize,
    /// Caches of the positions that follow.
    pub(crate) own: &'a mut [KeyValues],
    /// The newest position.
    pub(crate) position: usize,
}

impl History<'_> {
    /// Keys and values of one key head in one block.
    fn stretches(&self, config: &ModelConfig, block: usize, head: usize) -> [Stretch<'_>; 2] {
        let own = &self.own[block];
        let shared = self.shared.get(block).unwrap_or(own);
        [
            shared.first(config, head, self.shared_len),
            own.first(config, head, self.position + 1 - self.shared_len),
        ]
    }
}

impl KeyValues {
    /// The first `count` positions of a key head.
    fn first(&self, config: &ModelConfig, head: usize, count: usize) -> Stretch<'_> {
        Stretch {
            keys: self.keys_of(config, head),
            values: self.values_of(config, head),
            capacity: self.capacity,
            count,
        }
    }
}

/// Stores keys and values of each row of `qkv`, `[rows, qkv]`, in its history, and attends from there to all positions up
/// to it. Fills `out`, `[rows, query]`, with the values that [`attend`](super::attend) gives.
pub(crate) fn attend_rows(
    pool: PoolHandle<'_>,
    config: &ModelConfig,
    block: usize,
    histories: &mut [History<'_>],
    qkv: &[f32],
    out: &mut [f32],
    scores: &mut Vec<f32>,
) {
    let (stride, width) = (config.qkv_width(), config.query_width());
    let work = histories.iter().map(|h| 2 * (h.position + 1) * width).sum();
    let parts = pool.parts(work);
    if parts == 1 {
        attend_some(config, block, histories, qkv, out, scores);
        return;
    }
    let rows = histories.len().div_ceil(parts);
    let parts = histories
        .chunks_mut(rows)
        .zip(qkv.chunks(rows * stride))
        .zip(out.chunks_mut(rows * width));
    pool.each(parts, |((histories, qkv), out)| {
        attend_some(config, block, histories, qkv, out, &mut Vec::new());
    });
}

fn attend_some(
    config: &ModelConfig,
    block: usize,
    histories: &mut [History<'_>],
    qkv: &[f32],
    out: &mut [f32],
    scores: &mut Vec<f32>,
) {
    let (stride, width) = (config.qkv_width(), config.query_width());
    let (heads, group) = (config.num_key_value_heads, config.group() * config.head_dim);
    // All rows are stored before the first is read: a store touches many cache lines, and reading one of them at once
    // would stall.
    let rows = qkv.chunks_exact(stride);
    for (history, row) in histories.iter_mut().zip(rows.clone()) {
        let at = history.position - history.shared_len;
        history.own[block].put(config, at, row);
    }
    let outs = out.chunks_exact_mut(width);
    for ((row, out), history) in rows.zip(outs).zip(histories) {
        for head in 0..heads {
            let some = head * group..(head + 1) * group;
            let position = Position {
                queries: &row[some.clone()],
                stretches: history.stretches(config, block, head),
                head_dim: config.head_dim,
                scale: config.softmax_scale(),
            };
            attend_position(position, scores, &mut out[some]);
        }
    }
}
