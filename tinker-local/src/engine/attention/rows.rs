//! Attention of the newest positions of several sequences: one row each, as generating has it.

use super::super::config::ModelConfig;
use super::super::kernels::{Position, attend_position};
use super::super::team::Hands;
use super::{KeyValues, softmax_scale};

/// Stores keys and values of each row of `qkv` in the row's own cache, at its own position, and attends from there to
/// all positions up to it. Fills `out`, `[rows, query]`, with the values that [`attend`](super::attend) gives.
pub(crate) fn attend_rows(
    hands: Hands<'_>,
    config: &ModelConfig,
    mut caches: Vec<&mut KeyValues>,
    positions: &[usize],
    qkv: &[f32],
    out: &mut [f32],
    scores: &mut Vec<f32>,
) {
    let (stride, width) = (config.qkv_width(), config.query_width());
    let work = positions.iter().map(|p| 2 * (p + 1) * width).sum();
    let parts = hands.parts(work);
    if parts == 1 {
        attend_some(config, &mut caches, positions, qkv, out, scores);
        return;
    }
    let rows = positions.len().div_ceil(parts);
    let operands = positions.chunks(rows).zip(qkv.chunks(rows * stride));
    let parts = caches
        .chunks_mut(rows)
        .zip(operands)
        .zip(out.chunks_mut(rows * width));
    hands.each(parts, |((caches, (positions, qkv)), out)| {
        attend_some(config, caches, positions, qkv, out, &mut Vec::new());
    });
}

fn attend_some(
    config: &ModelConfig,
    caches: &mut [&mut KeyValues],
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
    for ((cache, position), row) in caches.iter_mut().zip(positions).zip(rows.clone()) {
        cache.put(config, *position, row);
    }
    let outs = out.chunks_exact_mut(width);
    for (((row, out), position), cache) in rows.zip(outs).zip(positions).zip(caches) {
        for head in 0..heads {
            let some = head * group..(head + 1) * group;
            let position = Position {
                queries: &row[some.clone()],
                keys: cache.keys_of(config, head),
                values: cache.values_of(config, head),
                head_dim: config.head_dim,
                capacity: cache.capacity,
                count: position + 1,
                scale: softmax_scale(config),
            };
            attend_position(position, scores, &mut out[some]);
        }
    }
}
