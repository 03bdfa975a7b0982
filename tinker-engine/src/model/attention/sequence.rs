//! Causal attention of consecutive positions of one sequence.

use super::super::config::ModelConfig;
use super::super::tape::room;
use super::key_values::KeyValues;
use crate::kernels::{Operand, Out, Rows, causal_softmax, gemm};
use crate::threads::Hands;

/// Queries handled at once. Scores of a block fit the second-level cache, and at most this many
/// keys are computed in vain for a query.
pub(super) const BLOCK: usize = 48;

/// Attends from `n` rows of `qkv`, at positions `first..first + n`, to all positions up to their own.
/// Fills `out`, `[n, query]`, and `norms`, `[n, heads]`.
#[expect(
    clippy::too_many_arguments,
    reason = "operands and outputs, used in one place"
)]
pub(crate) fn attend(
    hands: Hands<'_>,
    config: &ModelConfig,
    cache: &KeyValues,
    qkv: &[f32],
    n: usize,
    first: usize,
    out: &mut [f32],
    norms: &mut [f32],
    scores: &mut Vec<f32>,
) {
    let (hd, heads, group) = (config.head_dim, config.num_attention_heads, config.group());
    let (stride, width) = (config.qkv_width(), config.query_width());
    let scale = config.softmax_scale();
    // Rows of a block, from `start` on, attend with one head.
    let attend_block =
        |start: usize, head: usize, out: &mut [f32], norms: &mut [f32], scores: &mut Vec<f32>| {
            let rows = BLOCK.min(n - start);
            let keys = first + start + rows;
            let scores = room(scores, rows * keys);
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
    if hands.parts(2 * n * (first + n) * width) > 1 {
        let out = out[..n * width].chunks_mut(BLOCK * width);
        let norms = norms[..n * heads].chunks_mut(BLOCK * heads);
        let mut blocks: Vec<_> = (0..n).step_by(BLOCK).zip(out).zip(norms).collect();
        // The last are the longest: they go first.
        blocks.reverse();
        hands.each(blocks, |((start, out), norms)| {
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
