//! Backward pass of causal attention over whole sequences.

use super::super::config::ModelConfig;
use super::super::tape::{room, zeroed};
use super::sequence::BLOCK;
use crate::kernels::{Out, Packed, Rows, causal_softmax_backward, dot, gemm};
use crate::threads::PoolHandle;

/// Buffers of the backward pass, one for each key head that is processed at once.
#[derive(Debug, Default)]
pub(crate) struct AttentionScratch(Vec<KeyHeadScratch>);

#[derive(Debug, Default)]
struct KeyHeadScratch {
    keys: Packed,
    keys_across: Packed,
    values_across: Packed,
    block: Packed,
    scores: Vec<f32>,
    d_scores: Vec<f32>,
    d_queries: Vec<f32>,
    d_keys: Vec<f32>,
    d_values: Vec<f32>,
}

/// Inputs of the backward pass of a sequence of `n` rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attended<'a> {
    pub(crate) n: usize,
    /// Queries, keys and values, `[n, qkv]`.
    pub(crate) qkv: &'a [f32],
    /// Output of the forward pass, `[n, query]`.
    pub(crate) out: &'a [f32],
    /// Gradient of `out`, `[n, query]`.
    pub(crate) d_out: &'a [f32],
    /// Logarithms of the softmax normalisers, `[n, heads]`.
    pub(crate) norms: &'a [f32],
}

/// Backward pass of a whole sequence. Fills `d_qkv`, `[n, qkv]`.
pub(crate) fn attend_backward(
    pool: PoolHandle<'_>,
    config: &ModelConfig,
    attended: &Attended<'_>,
    d_qkv: &mut [f32],
    scratch: &mut AttentionScratch,
) {
    let (n, hd, group) = (attended.n, config.head_dim, config.group());
    let (stride, width, key_width) = (config.qkv_width(), config.query_width(), config.key_width());
    let kv_heads = config.num_key_value_heads;
    let at_once = match pool.parts(4 * n * n * width) {
        1 => 1,
        _ => kv_heads,
    };
    if scratch.0.len() < at_once {
        scratch.0.resize_with(at_once, KeyHeadScratch::default);
    }
    for first in (0..kv_heads).step_by(at_once) {
        let heads = (first..kv_heads).zip(&mut scratch.0);
        pool.each(heads, |(shared, scratch)| {
            head_backward(config, attended, shared, scratch);
        });
        let done = (first..kv_heads).zip(&scratch.0).take(at_once);
        for (shared, scratch) in done {
            let query_at = shared * group * hd;
            let key_at = width + shared * hd;
            let value_at = key_at + key_width;
            let rows = d_qkv[..n * stride].chunks_exact_mut(stride);
            for (i, row) in rows.enumerate() {
                for (at, wide, from) in [
                    (query_at, group * hd, &scratch.d_queries),
                    (key_at, hd, &scratch.d_keys),
                    (value_at, hd, &scratch.d_values),
                ] {
                    row[at..at + wide].copy_from_slice(&from[i * wide..(i + 1) * wide]);
                }
            }
        }
    }
}

/// Backward pass of the query heads that share one key head.
fn head_backward(
    config: &ModelConfig,
    attended: &Attended<'_>,
    shared: usize,
    scratch: &mut KeyHeadScratch,
) {
    let Attended {
        n,
        qkv,
        out,
        d_out,
        norms,
    } = *attended;
    let (hd, heads, group) = (config.head_dim, config.num_attention_heads, config.group());
    let (stride, width, key_width) = (config.qkv_width(), config.query_width(), config.key_width());
    let scale = config.softmax_scale();
    let KeyHeadScratch {
        keys: key_rows,
        keys_across,
        values_across,
        block,
        scores,
        d_scores,
        d_queries,
        d_keys,
        d_values,
    } = scratch;
    let key_at = width + shared * hd;
    let value_at = key_at + key_width;
    key_rows.pack_rows(&qkv[key_at..], n, hd, stride);
    keys_across.pack_columns(&qkv[key_at..], hd, n, stride);
    values_across.pack_columns(&qkv[value_at..], hd, n, stride);
    let queries = group * hd;
    let d_queries = room(d_queries, n * queries); // [n, group * head_dim]
    let d_keys = zeroed(d_keys, n * hd); // [n, head_dim]
    let d_values = zeroed(d_values, n * hd); // [n, head_dim]
    for member in 0..group {
        let head = shared * group + member;
        for start in (0..n).step_by(BLOCK) {
            let rows = BLOCK.min(n - start);
            let keys = start + rows;
            let q = &qkv[start * stride + head * hd..];
            let d_o = &d_out[start * width + head * hd..];
            let scores = room(scores, rows * keys); // [rows, keys]
            let d_scores = room(d_scores, rows * keys); // [rows, keys]
            let (a, b) = (Rows::new(q, stride), keys_across.operand());
            gemm([rows, keys, hd], a, b, Out::set(scores, keys));
            let (a, b) = (Rows::new(d_o, width), values_across.operand());
            gemm([rows, keys, hd], a, b, Out::set(d_scores, keys));
            for i in 0..rows {
                let at = (start + i) * width + head * hd;
                let inner = dot(&out[at..at + hd], &d_out[at..at + hd]);
                let norm = norms[(start + i) * heads + head];
                let row = i * keys..(i + 1) * keys;
                causal_softmax_backward(
                    &mut scores[row.clone()],
                    &mut d_scores[row],
                    start + i + 1,
                    scale,
                    norm,
                    inner,
                );
            }
            let (a, b) = (Rows::new(d_scores, keys), key_rows.operand());
            let c = &mut d_queries[start * queries + member * hd..];
            gemm([rows, hd, keys], a, b, Out::set(c, queries));
            block.pack_rows(q, rows, hd, stride);
            let (a, b) = (Rows::transposed(d_scores, keys), block.operand());
            gemm([keys, hd, rows], a, b, Out::add(d_keys, hd));
            block.pack_rows(d_o, rows, hd, width);
            let (a, b) = (Rows::transposed(scores, keys), block.operand());
            gemm([keys, hd, rows], a, b, Out::add(d_values, hd));
        }
    }
}
