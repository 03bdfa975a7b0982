//! Backward pass: gradient of the last block's output to gradients of the weights.

use super::attention::{Attended, AttentionScratch, attend_backward};
use super::forward::{Segment, rows_per_part};
use super::lora::Lora;
use super::packed::Model;
use super::projection::{Grads, ProjectionBackward, ProjectionScratch};
use super::tape::{BlockTape, Tape, room};
use crate::kernels::{add, rms_norm_backward, swiglu_backward};
use crate::threads::PoolHandle;

/// Buffers of the backward pass.
#[derive(Debug, Default)]
pub(crate) struct BackwardScratch {
    pub(crate) projection: ProjectionScratch,
    attention: AttentionScratch,
    wide: Vec<f32>,
    narrow: Vec<f32>,
    d_qkv: Vec<f32>,
}

/// Adds one row's gradient of a norm's weights: `dw += dy x factor`.
pub(crate) fn norm_weight_gradient(x: &[f32], factor: f32, dy: &[f32], dw: &mut [f32]) {
    for ((w, x), y) in dw.iter_mut().zip(x).zip(dy) {
        *w += y * x * factor;
    }
}

/// A backward pass over the rows of a forward pass. Every segment starts at position 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BackwardPass<'a> {
    pub(crate) pool: PoolHandle<'a>,
    pub(crate) model: &'a Model,
    pub(crate) lora: Option<&'a Lora>,
    pub(crate) segments: &'a [Segment],
}

impl BackwardPass<'_> {
    /// Runs the blocks backward. `dx`, `[n, hidden]`, is the gradient of the last block's output and is overwritten, as
    /// is the tape.
    pub(crate) fn run(
        &self,
        tokens: &[u32],
        tape: &mut Tape,
        dx: &mut [f32],
        grads: &mut Grads<'_>,
        scratch: &mut BackwardScratch,
    ) {
        let d = self.model.config.hidden_size;
        for i in (0..self.model.blocks.len()).rev() {
            self.block(i, &mut tape.blocks[i], dx, grads, scratch);
        }
        if let Grads::Full(grads) = grads {
            let embed = &mut grads[self.model.layout.embed.clone()]; // [vocab, hidden]
            for (row, token) in dx.chunks_exact(d).zip(tokens) {
                add(&mut embed[*token as usize * d..][..d], row);
            }
        }
    }

    fn block(
        &self,
        i: usize,
        tape: &mut BlockTape,
        dx: &mut [f32],
        grads: &mut Grads<'_>,
        scratch: &mut BackwardScratch,
    ) {
        let (pool, model) = (self.pool, self.model);
        let (config, block, slots) = (&model.config, &model.blocks[i], &model.layout.blocks[i]);
        let (d, ff, query) = (
            config.hidden_size,
            config.intermediate_size,
            config.query_width(),
        );
        let n = dx.len() / d;
        let sites = self.lora.map(|lora| &lora.blocks[i]);
        let BackwardScratch {
            projection,
            attention,
            wide,
            narrow,
            d_qkv,
        } = scratch;

        // The MLP.
        let d_act = room(wide, n * ff); // [n, intermediate]
        let down = ProjectionBackward {
            linear: &block.down,
            site: sites.and_then(|s| s.down.as_ref()),
            weight: &slots.down,
            bias: None,
            x: &tape.act,
            low: &tape.low[3],
        };
        down.run(pool, n, dx, Some(d_act), grads, projection);
        let rows = rows_per_part(pool, n, ff);
        let gate_up = tape.gate_up[..n * 2 * ff].chunks_mut(rows * 2 * ff);
        pool.each(gate_up.zip(d_act.chunks(rows * ff)), |(gate_up, d_act)| {
            let rows = gate_up.chunks_exact_mut(2 * ff);
            for (gate_up, dy) in rows.zip(d_act.chunks_exact(ff)) {
                swiglu_backward(gate_up, dy);
            }
        });
        let d_normed = room(narrow, n * d); // [n, hidden]
        let gate_up = ProjectionBackward {
            linear: &block.gate_up,
            site: sites.and_then(|s| s.gate_up.as_ref()),
            weight: &slots.gate_up,
            bias: None,
            x: &tape.mid_normed,
            low: &tape.low[2],
        };
        gate_up.run(pool, n, &tape.gate_up, Some(d_normed), grads, projection);
        let norm = NormBackward {
            x: &tape.mid,
            w: &block.post_norm,
            factors: &tape.mid_factor,
            at: slots.post_norm.start,
        };
        norm.run(pool, d_normed, dx, grads);

        // Attention.
        let d_attended = room(wide, n * query); // [n, query]
        let o = ProjectionBackward {
            linear: &block.o,
            site: sites.and_then(|s| s.o.as_ref()),
            weight: &slots.o,
            bias: slots.o_bias.as_ref(),
            x: &tape.attended,
            low: &tape.low[1],
        };
        o.run(pool, n, dx, Some(d_attended), grads, projection);
        let width = config.qkv_width();
        let d_qkv = room(d_qkv, n * width); // [n, qkv]
        for segment in self.segments {
            let Segment { start, len, .. } = *segment;
            let attended = Attended {
                n: len,
                qkv: &tape.qkv[start * width..],
                out: &tape.attended[start * query..],
                d_out: &d_attended[start * query..],
                norms: &tape.norms[start * config.num_attention_heads..],
            };
            let d_qkv = &mut d_qkv[start * width..];
            attend_backward(pool, config, &attended, d_qkv, attention);
        }
        self.rope(i, tape, d_qkv, grads);
        // Nothing below the first block is trained by an adapter.
        let needed = i > 0 || matches!(grads, Grads::Full(_));
        let d_normed = room(narrow, n * d); // [n, hidden]
        let qkv = ProjectionBackward {
            linear: &block.qkv,
            site: sites.and_then(|s| s.qkv.as_ref()),
            weight: &slots.qkv,
            bias: slots.qkv_bias.as_ref(),
            x: &tape.x_normed,
            low: &tape.low[0],
        };
        let d_input = needed.then_some(&mut *d_normed);
        qkv.run(pool, n, d_qkv, d_input, grads, projection);
        if needed {
            let norm = NormBackward {
                x: &tape.x,
                w: &block.input_norm,
                factors: &tape.x_factor,
                at: slots.input_norm.start,
            };
            norm.run(pool, d_normed, dx, grads);
        }
    }

    /// From gradients of normalised and rotated heads to gradients of the projected heads, in place.
    fn rope(&self, i: usize, tape: &BlockTape, d_qkv: &mut [f32], grads: &mut Grads<'_>) {
        let model = self.model;
        let (config, block, slots) = (&model.config, &model.blocks[i], &model.layout.blocks[i]);
        let (hd, queries) = (config.head_dim, config.num_attention_heads);
        let heads = queries + config.num_key_value_heads;
        let width = config.qkv_width();
        let mut dy = vec![0.0; hd];
        for segment in self.segments {
            for t in 0..segment.len {
                let row = segment.start + t;
                for (h, head) in d_qkv[row * width..][..heads * hd]
                    .chunks_exact_mut(hd)
                    .enumerate()
                {
                    model.rope.apply(head, segment.position + t, true);
                    let norm = if h < queries {
                        (&block.q_norm, &slots.q_norm)
                    } else {
                        (&block.k_norm, &slots.k_norm)
                    };
                    let (Some(w), Some(at)) = norm else { continue };
                    let x = &tape.raw[row * width + h * hd..][..hd];
                    let factor = tape.qk_factor[row * heads + h];
                    dy.copy_from_slice(head);
                    rms_norm_backward(x, w, factor, &dy, head, false);
                    if let Grads::Full(grads) = grads {
                        norm_weight_gradient(x, factor, &dy, &mut grads[at.clone()]);
                    }
                }
            }
        }
    }
}

/// Backward pass of a norm of the residual stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NormBackward<'a> {
    /// Input of the norm, `[n, hidden]`.
    pub(crate) x: &'a [f32],
    /// Weights of the norm, `[hidden]`.
    pub(crate) w: &'a [f32],
    /// RMSNorm factor of each row, `[n]`.
    pub(crate) factors: &'a [f32],
    /// Place of the first weight among all weights.
    pub(crate) at: usize,
}

impl NormBackward<'_> {
    /// Adds the gradient of the input to `dx`; `dx` and `dy` are `[n, hidden]`.
    pub(crate) fn run(
        &self,
        pool: PoolHandle<'_>,
        dy: &[f32],
        dx: &mut [f32],
        grads: &mut Grads<'_>,
    ) {
        let Self { x, w, factors, at } = *self;
        let d = w.len();
        let n = dx.len() / d;
        let rows = rows_per_part(pool, n, d);
        let parts = x[..n * d].chunks(rows * d).zip(factors.chunks(rows));
        let parts = parts.zip(dy.chunks(rows * d)).zip(dx.chunks_mut(rows * d));
        pool.each(parts, |(((x, factors), dy), dx)| {
            let rows = x.chunks_exact(d).zip(factors).zip(dy.chunks_exact(d));
            for (((x, factor), dy), dx) in rows.zip(dx.chunks_exact_mut(d)) {
                rms_norm_backward(x, w, *factor, dy, dx, true);
            }
        });
        if let Grads::Full(grads) = grads {
            let rows = x[..n * d].chunks_exact(d).zip(factors);
            for ((x, factor), dy) in rows.zip(dy.chunks_exact(d)) {
                norm_weight_gradient(x, *factor, dy, &mut grads[at..at + d]);
            }
        }
    }
}
