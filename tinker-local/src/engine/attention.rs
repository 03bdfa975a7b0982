//! Causal attention of one sequence, both ways.

mod rows;

use super::config::ModelConfig;
use super::kernels::{
    Aligned, Operand, Out, PANEL, Packed, Rows, causal_softmax, causal_softmax_backward, dot, gemm,
};
use super::tape::{room, zeroed};
use super::team::Hands;
pub(crate) use rows::{History, attend_rows};

/// Queries handled at once. Scores of a block fit the second-level cache, and at most this many
/// keys are computed in vain for a query.
const BLOCK: usize = 48;

/// Keys and values of one sequence in one block of the model, in the order the products read them.
/// The sampler keeps them from token to token; the trainer fills them anew.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyValues {
    /// For each key head, panels of [`PANEL`] keys: `[panels, head_dim, PANEL]`.
    keys: Aligned,
    /// For each key head, panels of [`PANEL`] columns: `[panels, capacity, PANEL]`.
    values: Aligned,
    capacity: usize,
}

impl KeyValues {
    /// Room for `capacity` positions. Memory is taken from the system as it is filled.
    pub(crate) fn new(config: &ModelConfig, capacity: usize) -> Self {
        let mut cache = Self {
            capacity: capacity.next_multiple_of(PANEL),
            ..Self::default()
        };
        cache.keys = Aligned::zeros(config.num_key_value_heads * cache.key_size(config));
        cache.values = Aligned::zeros(config.num_key_value_heads * cache.value_size(config));
        cache
    }

    /// A copy of what follows the full pages of the first `n` positions, with room for `capacity` positions.
    pub(crate) fn tail(&self, config: &ModelConfig, n: usize, capacity: usize) -> Self {
        let mut copy = Self::new(config, capacity);
        if !n.is_multiple_of(PANEL) {
            let mut page = Vec::with_capacity(Self::page_len(config));
            self.read_page(config, n / PANEL, &mut page);
            copy.write_page(config, 0, &page);
        }
        copy
    }

    /// Floats of [`PANEL`] positions, as [`KeyValues::read_page`] takes them out.
    pub(crate) fn page_len(config: &ModelConfig) -> usize {
        let width = config.head_dim + config.head_dim.next_multiple_of(PANEL);
        config.num_key_value_heads * width * PANEL
    }

    /// Adds the positions `page * PANEL..(page + 1) * PANEL` to `page_out`, stored or not.
    pub(crate) fn read_page(&self, config: &ModelConfig, page: usize, page_out: &mut Vec<f32>) {
        let hd = config.head_dim;
        for head in 0..config.num_key_value_heads {
            let at = head * self.key_size(config) + page * hd * PANEL;
            page_out.extend_from_slice(&self.keys[at..at + hd * PANEL]);
        }
        for panel in 0..config.num_key_value_heads * hd.div_ceil(PANEL) {
            let at = (panel * self.capacity + page * PANEL) * PANEL;
            page_out.extend_from_slice(&self.values[at..at + PANEL * PANEL]);
        }
    }

    /// Puts back what [`KeyValues::read_page`] took out, and returns what follows it in `from`.
    pub(crate) fn write_page<'a>(
        &mut self,
        config: &ModelConfig,
        page: usize,
        from: &'a [f32],
    ) -> &'a [f32] {
        let (hd, heads) = (config.head_dim, config.num_key_value_heads);
        let (page_in, rest) = from.split_at(Self::page_len(config));
        let (keys, values) = page_in.split_at(heads * hd * PANEL);
        let key_size = self.key_size(config);
        for (head, part) in keys.chunks_exact(hd * PANEL).enumerate() {
            let at = head * key_size + page * hd * PANEL;
            self.keys[at..at + part.len()].copy_from_slice(part);
        }
        for (panel, part) in values.chunks_exact(PANEL * PANEL).enumerate() {
            let at = (panel * self.capacity + page * PANEL) * PANEL;
            self.values[at..at + part.len()].copy_from_slice(part);
        }
        rest
    }

    /// Makes room for `capacity` positions and forgets what was there.
    pub(crate) fn reserve(&mut self, config: &ModelConfig, capacity: usize) {
        self.capacity = capacity.next_multiple_of(PANEL);
        let (keys, values) = (self.key_size(config), self.value_size(config));
        for (buffer, size) in [(&mut self.keys, keys), (&mut self.values, values)] {
            let size = config.num_key_value_heads * size;
            if buffer.len() < size {
                *buffer = Aligned::zeros(size);
            }
        }
    }

    /// What it takes.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        (self.keys.len() + self.values.len()) * size_of::<f32>()
    }

    fn key_size(&self, config: &ModelConfig) -> usize {
        self.capacity * config.head_dim
    }

    fn value_size(&self, config: &ModelConfig) -> usize {
        self.capacity * config.head_dim.next_multiple_of(PANEL)
    }

    /// Stores key and value heads of one position, taken from a row of queries, keys and values.
    pub(crate) fn put(&mut self, config: &ModelConfig, position: usize, row: &[f32]) {
        let hd = config.head_dim;
        let (query, key) = (config.query_width(), config.key_width());
        let (key_size, value_size) = (self.key_size(config), self.value_size(config));
        for head in 0..config.num_key_value_heads {
            let from = &row[query + head * hd..][..hd];
            let panel =
                &mut self.keys[head * key_size + position / PANEL * hd * PANEL..][..hd * PANEL];
            for (to, value) in panel[position % PANEL..]
                .iter_mut()
                .step_by(PANEL)
                .zip(from)
            {
                *to = *value;
            }
            let from = &row[query + key + head * hd..][..hd];
            for (p, part) in from.chunks(PANEL).enumerate() {
                let at = head * value_size + (p * self.capacity + position) * PANEL;
                self.values[at..at + part.len()].copy_from_slice(part);
            }
        }
    }

    fn keys_of(&self, config: &ModelConfig, head: usize) -> &[f32] {
        let size = self.key_size(config);
        &self.keys[head * size..][..size]
    }

    fn values_of(&self, config: &ModelConfig, head: usize) -> &[f32] {
        let size = self.value_size(config);
        &self.values[head * size..][..size]
    }
}

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
    let scale = softmax_scale(config);
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

fn softmax_scale(config: &ModelConfig) -> f32 {
    (1.0 / (config.head_dim as f64).sqrt()) as f32
}

/// Buffers of the way back through attention, for each key head that is worked on at once.
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

/// What the way back of a sequence of `n` rows reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attended<'a> {
    pub(crate) n: usize,
    /// `[n, qkv]`.
    pub(crate) qkv: &'a [f32],
    /// `[n, query]`, as the next one.
    pub(crate) out: &'a [f32],
    /// The gradient of `out`.
    pub(crate) d_out: &'a [f32],
    /// `[n, heads]`.
    pub(crate) norms: &'a [f32],
}

/// The way back of a whole sequence: fills `d_qkv`.
pub(crate) fn attend_backward(
    hands: Hands<'_>,
    config: &ModelConfig,
    attended: &Attended<'_>,
    d_qkv: &mut [f32],
    scratch: &mut AttentionScratch,
) {
    let (n, hd, group) = (attended.n, config.head_dim, config.group());
    let (stride, width, key_width) = (config.qkv_width(), config.query_width(), config.key_width());
    let kv_heads = config.num_key_value_heads;
    let at_once = match hands.parts(4 * n * n * width) {
        1 => 1,
        _ => kv_heads,
    };
    if scratch.0.len() < at_once {
        scratch.0.resize_with(at_once, KeyHeadScratch::default);
    }
    for first in (0..kv_heads).step_by(at_once) {
        let heads = (first..kv_heads).zip(&mut scratch.0);
        hands.each(heads, |(shared, scratch)| {
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

/// The way back through the query heads that share one key head.
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
    let scale = softmax_scale(config);
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
    let d_queries = room(d_queries, n * queries);
    let d_keys = zeroed(d_keys, n * hd);
    let d_values = zeroed(d_values, n * hd);
    for member in 0..group {
        let head = shared * group + member;
        for start in (0..n).step_by(BLOCK) {
            let rows = BLOCK.min(n - start);
            let keys = start + rows;
            let q = &qkv[start * stride + head * hd..];
            let d_o = &d_out[start * width + head * hd..];
            let scores = room(scores, rows * keys);
            let d_scores = room(d_scores, rows * keys);
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
