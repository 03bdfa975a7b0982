//! Forward pass: tokens to the normalised output of the last block.

use super::attention::{History, KeyValues, SequenceRows, attend, attend_rows};
use super::lora::{Lora, LoraSite};
use super::packed::{Linear, Model, Precision};
use super::projection::{Group, Projection};
use super::tape::{BlockTape, Tape};
use crate::kernels::{rms_norm, swiglu};
use crate::threads::PoolHandle;

/// Consecutive rows that are consecutive tokens of one sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// First row.
    pub(crate) start: usize,
    /// Number of rows.
    pub(crate) len: usize,
    /// Position of the first row in its sequence.
    pub(crate) position: usize,
}

/// Key and value caches of a pass.
pub(crate) enum Caches<'a> {
    /// For segments of any length.
    Segments(&'a mut dyn SegmentCaches),
    /// For segments of one row each.
    Rows(Vec<History<'a>>),
}

/// Keys and values of segments, block by block.
pub(crate) trait SegmentCaches {
    /// The cache of one segment in one block.
    fn cache(&mut self, segment: usize, block: usize) -> &mut KeyValues;
}

/// Rows that use the same adapter, if any.
pub(crate) type Adapted<'a> = Group<Option<&'a Lora>>;

/// A forward pass over rows of tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ForwardPass<'a> {
    pub(crate) pool: PoolHandle<'a>,
    pub(crate) model: &'a Model,
    pub(crate) precision: Precision,
    pub(crate) groups: &'a [Adapted<'a>],
    /// Cover all rows, in order.
    pub(crate) segments: &'a [Segment],
    /// Keeps the activations of every block for a backward pass.
    pub(crate) keep: bool,
}

impl ForwardPass<'_> {
    /// Runs all blocks. The tape is left with the normalised output and, with `keep`, the activations of every block.
    pub(crate) fn run(&self, tokens: &[u32], mut caches: Caches<'_>, tape: &mut Tape) {
        let (model, keep) = (self.model, self.keep);
        let config = &model.config;
        let (n, d) = (tokens.len(), config.hidden_size);
        tape.resize(config, n, if keep { config.num_hidden_layers } else { 1 });
        let Tape {
            blocks,
            last,
            last_factor,
            last_normed,
            scores,
        } = tape;
        for (row, token) in blocks[0].x.chunks_exact_mut(d).zip(tokens) {
            model.embedding().copy_row(*token as usize, row);
        }
        for i in 0..model.blocks.len() {
            let at = if keep { i } else { 0 };
            if i > 0 && !keep {
                std::mem::swap(&mut blocks[0].x, last);
            }
            let (done, left) = blocks.split_at_mut(at + 1);
            let next = match left.first_mut() {
                Some(next) if keep => &mut next.x,
                _ => &mut *last,
            };
            let tape = &mut done[at];
            self.project_heads(i, n, tape);
            match &mut caches {
                Caches::Rows(histories) => {
                    let (qkv, out) = (&tape.qkv, &mut tape.attended);
                    attend_rows(self.pool, config, i, histories, qkv, out, scores);
                }
                Caches::Segments(caches) => {
                    for (s, segment) in self.segments.iter().enumerate() {
                        self.attend_segment(segment, caches.cache(s, i), tape, scores);
                    }
                }
            }
            self.finish_block(i, n, tape, next);
        }
        self.norm(&model.norm, n, last, last_normed, last_factor);
    }

    /// From the input of block `i` to its queries, keys and values, `[n, qkv]`.
    fn project_heads(&self, i: usize, n: usize, tape: &mut BlockTape) {
        let block = &self.model.blocks[i];
        let (x, factor) = (&mut tape.x_normed, &mut tape.x_factor);
        self.norm(&block.input_norm, n, &tape.x, x, factor);
        let sites = select(self.groups, |lora| lora.blocks[i].qkv.as_ref());
        let qkv = self.projection(&block.qkv, &sites, false);
        qkv.apply(self.pool, n, x, &mut tape.qkv, &mut tape.low[0]);
        self.apply_rope(i, tape);
    }

    fn attend_segment(
        &self,
        segment: &Segment,
        cache: &mut KeyValues,
        tape: &mut BlockTape,
        scores: &mut Vec<f32>,
    ) {
        let config = &self.model.config;
        let Segment {
            start,
            len,
            position,
        } = *segment;
        let width = config.qkv_width();
        let qkv = &tape.qkv[start * width..(start + len) * width]; // [len, qkv]
        for (t, row) in qkv.chunks_exact(width).enumerate() {
            cache.put(config, position + t, row);
        }
        let rows = SequenceRows {
            qkv,
            n: len,
            first: position,
        };
        let out = &mut tape.attended[start * config.query_width()..];
        let norms = &mut tape.norms[start * config.num_attention_heads..];
        attend(self.pool, config, cache, rows, out, norms, scores);
    }

    /// From the attention of block `i` to its output, `next`, `[n, hidden]`.
    fn finish_block(&self, i: usize, n: usize, tape: &mut BlockTape, next: &mut [f32]) {
        let (pool, block, groups) = (self.pool, &self.model.blocks[i], self.groups);
        let config = &self.model.config;
        let (d, ff) = (config.hidden_size, config.intermediate_size);
        tape.mid[..n * d].copy_from_slice(&tape.x[..n * d]);
        let sites = select(groups, |lora| lora.blocks[i].o.as_ref());
        let o = self.projection(&block.o, &sites, true);
        o.apply(pool, n, &tape.attended, &mut tape.mid, &mut tape.low[1]);

        let (x, factor) = (&mut tape.mid_normed, &mut tape.mid_factor);
        self.norm(&block.post_norm, n, &tape.mid, x, factor);
        let sites = select(groups, |lora| lora.blocks[i].gate_up.as_ref());
        let gate_up = self.projection(&block.gate_up, &sites, false);
        gate_up.apply(pool, n, x, &mut tape.gate_up, &mut tape.low[2]);
        let rows = rows_per_part(pool, n, ff);
        let gate_up = tape.gate_up[..n * 2 * ff].chunks(rows * 2 * ff);
        let act = tape.act[..n * ff].chunks_mut(rows * ff);
        pool.each(gate_up.zip(act), |(gate_up, act)| {
            for (gate_up, act) in gate_up.chunks_exact(2 * ff).zip(act.chunks_exact_mut(ff)) {
                swiglu(gate_up, act);
            }
        });
        next[..n * d].copy_from_slice(&tape.mid[..n * d]);
        let sites = select(groups, |lora| lora.blocks[i].down.as_ref());
        let down = self.projection(&block.down, &sites, true);
        down.apply(pool, n, &tape.act, next, &mut tape.low[3]);
    }

    fn projection<'b>(
        &self,
        linear: &'b Linear,
        groups: &'b [Group<Option<&'b LoraSite>>],
        accumulate: bool,
    ) -> Projection<'b> {
        Projection {
            linear,
            precision: self.precision,
            groups,
            accumulate,
        }
    }

    /// Normalises `n` rows of `x`, `[n, hidden]`, and keeps the factor of each row.
    fn norm(&self, w: &[f32], n: usize, x: &[f32], y: &mut [f32], factors: &mut [f32]) {
        let config = &self.model.config;
        let d = config.hidden_size;
        let rows = rows_per_part(self.pool, n, d);
        let parts = x[..n * d].chunks(rows * d).zip(y.chunks_mut(rows * d));
        let parts = parts.zip(factors.chunks_mut(rows));
        self.pool.each(parts, |((x, y), factors)| {
            let rows = x.chunks_exact(d).zip(y.chunks_exact_mut(d));
            for ((x, y), factor) in rows.zip(factors) {
                *factor = rms_norm(x, w, config.rms_norm_eps, y);
            }
        });
    }

    /// Normalises query and key heads where the model does that, and applies rotary embeddings at their positions.
    fn apply_rope(&self, i: usize, tape: &mut BlockTape) {
        let (model, block) = (self.model, &self.model.blocks[i]);
        let config = &model.config;
        let (hd, queries) = (config.head_dim, config.num_attention_heads);
        let heads = queries + config.num_key_value_heads;
        let width = config.qkv_width();
        let norms = block.q_norm.as_ref().zip(block.k_norm.as_ref());
        let apply = |qkv: &mut [f32], kept: &mut [f32], factors: &mut [f32], position: usize| {
            let qkv = &mut qkv[..heads * hd]; // [heads, head_dim]
            if let Some((q_norm, k_norm)) = norms {
                let raw = &mut kept[..heads * hd];
                raw.copy_from_slice(qkv);
                for (h, head) in raw.chunks_exact(hd).enumerate() {
                    let w = if h < queries { q_norm } else { k_norm };
                    let into = &mut qkv[h * hd..(h + 1) * hd];
                    factors[h] = rms_norm(head, w, config.rms_norm_eps, into);
                }
            }
            for head in qkv.chunks_exact_mut(hd) {
                model.rope.apply(head, position, false);
            }
        };
        for segment in self.segments {
            let Segment {
                start,
                len,
                position,
            } = *segment;
            let rows = rows_per_part(self.pool, len, width);
            let qkv = tape.qkv[start * width..][..len * width].chunks_mut(rows * width);
            let factors = tape.qk_factor[start * heads..][..len * heads].chunks_mut(rows * heads);
            let positions = (position..position + len).step_by(rows);
            if norms.is_none() {
                self.pool.each(qkv.zip(positions), |(qkv, first)| {
                    for (t, row) in qkv.chunks_exact_mut(width).enumerate() {
                        apply(row, &mut [], &mut [], first + t);
                    }
                });
                continue;
            }
            let raw = tape.raw[start * width..][..len * width].chunks_mut(rows * width);
            let parts = qkv.zip(raw).zip(factors).zip(positions);
            self.pool.each(parts, |(((qkv, raw), factors), first)| {
                let rows = qkv.chunks_exact_mut(width).zip(raw.chunks_exact_mut(width));
                let rows = rows.zip(factors.chunks_exact_mut(heads));
                for (t, ((qkv, raw), factors)) in rows.enumerate() {
                    apply(qkv, raw, factors, first + t);
                }
            });
        }
    }
}

/// The same site of every group's adapter.
pub(crate) fn select<'a>(
    groups: &[Adapted<'a>],
    site: impl Fn(&'a Lora) -> Option<&'a LoraSite>,
) -> Vec<Group<Option<&'a LoraSite>>> {
    groups
        .iter()
        .map(|group| Group {
            rows: group.rows.clone(),
            with: group.with.and_then(&site),
        })
        .collect()
}

/// Rows of each part when element-wise work on `n` rows of `width` numbers is shared among threads.
pub(crate) fn rows_per_part(pool: PoolHandle<'_>, n: usize, width: usize) -> usize {
    // A number costs about as much as this many multiply-adds of a product.
    const COST: usize = 32;
    n.div_ceil(pool.parts(n * width * COST)).max(1)
}

#[cfg(test)]
mod tests;
