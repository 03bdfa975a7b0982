//! Causal attention of consecutive positions of one sequence.

use super::super::config::ModelConfig;
use super::super::tape::room;
use super::key_values::KeyValues;
use crate::kernels::{Operand, Out, Rows, causal_softmax, gemm};
use crate::threads::PoolHandle;

/// Queries handled at once. The scores of a block fit the second-level cache, and at most this many scores of a query, for
/// keys after its position, are computed and discarded.
pub(super) const BLOCK: usize = 48;

/// Consecutive rows of one sequence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SequenceRows<'a> {
    /// Queries, keys and values, `[n, qkv]`.
    pub(crate) qkv: &'a [f32],
    /// Number of rows.
    pub(crate) n: usize,
    /// Position of the first row.
    pub(crate) first: usize,
}

/// Attends from each row to all positions up to its own. Fills `out`, `[n, query]`, and `norms`, `[n, heads]`, the
/// logarithms of the softmax normalisers.
pub(crate) fn attend(
    pool: PoolHandle<'_>,
    config: &ModelConfig,
    cache: &KeyValues,
    rows: SequenceRows<'_>,
    out: &mut [f32],
    norms: &mut [f32],
    scores: &mut Vec<f32>,
) {
    let SequenceRows { qkv, n, first } = rows;
    let (hd, heads, group) = (config.head_dim, config.num_attention_heads, config.group());
    let (stride, width) = (config.qkv_width(), config.query_width());
    let scale = config.softmax_scale();
    // Rows of a block, from `start` on, attend with one head.
    let attend_block =
        |start: usize, head: usize, out: &mut [f32], norms: &mut [f32], scores: &mut Vec<f32>| {
            let rows = BLOCK.min(n - start);
            let keys = first + start + rows;
            let scores = room(scores, rows * keys); // [rows, keys]
            let a = Rows::new(&qkv[start * stride + head * hd..], stride);
            let b = Operand::panels(cache.keys_of(config, head / group), hd, hd);
            gemm([rows, keys, hd], a, b, Out::set(scores, keys));
            for (i, row) in scores.chunks_exact_mut(keys).enumerate() {
                norms[i * heads + head] = causal_softmax(row, first + start + i + 1, scale);
            }
            let b = Operand::panels(cache.values_of(config, head / group), cache.capacity, keys);
            let c = &mut out[head * hd..];
            gemm(
                [rows, hd, keys],
                Rows::new(scores, keys),
                b,
                Out::set(c, width),
            );
        };
    if pool.parts(2 * n * (first + n) * width) > 1 {
        let out = out[..n * width].chunks_mut(BLOCK * width);
        let norms = norms[..n * heads].chunks_mut(BLOCK * heads);
        let mut blocks: Vec<_> = (0..n).step_by(BLOCK).zip(out).zip(norms).collect();
        // The last blocks attend to the most keys, so they go first.
        blocks.reverse();
        pool.each(blocks, |((start, out), norms)| {
            let mut scores = Vec::new();
            for head in 0..heads {
                attend_block(start, head, out, norms, &mut scores);
            }
        });
        return;
    }
    for head in 0..heads {
        for start in (0..n).step_by(BLOCK) {
            let (out, norms) = (&mut out[start * width..], &mut norms[start * heads..]);
            attend_block(start, head, out, norms, scores);
        }
    }
}
