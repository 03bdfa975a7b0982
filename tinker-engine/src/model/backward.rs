//! The way back: from the gradient of the last block's output to those of the weights.

use super::attention::{Attended, AttentionScratch, attend_backward};
use super::forward::{Segment, rows_of_a_part};
use super::linear::{Back, Grads, LinearScratch};
use super::lora::Lora;
use super::packed::Model;
use super::tape::{BlockTape, Tape, room};
use crate::kernels::{add, rms_norm_backward, swiglu_backward};
use crate::threads::Hands;

/// Buffers of the way back.
#[derive(Debug, Default)]
pub(crate) struct BackwardScratch {
    pub(crate) linear: LinearScratch,
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

/// Runs the blocks backward. `dx` is the gradient of the last block's output, and is used up. Every
/// segment starts at position 0. The tape is left unusable.
#[expect(clippy::too_many_arguments, reason = "what one pass works on")]
pub(crate) fn backward(
    hands: Hands<'_>,
    model: &Model,
    lora: Option<&Lora>,
    tokens: &[u32],
    segments: &[Segment],
    tape: &mut Tape,
    dx: &mut [f32],
    grads: &mut Grads<'_>,
    scratch: &mut BackwardScratch,
) {
    let d = model.config.hidden_size;
    for i in (0..model.blocks.len()).rev() {
        backward_block(
            hands,
            model,
            lora,
            i,
            tokens.len(),
            segments,
            &mut tape.blocks[i],
            dx,
            grads,
            scratch,
        );
    }
    if let Grads::Full(grads) = grads {
        let embed = &mut grads[model.layout.embed.clone()];
        for (row, token) in dx.chunks_exact(d).zip(tokens) {
            add(&mut embed[*token as usize * d..][..d], row);
        }
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "one block's operands, used in one place"
)]
fn backward_block(
    hands: Hands<'_>,
    model: &Model,
    lora: Option<&Lora>,
    i: usize,
    n: usize,
    segments: &[Segment],
    tape: &mut BlockTape,
    dx: &mut [f32],
    grads: &mut Grads<'_>,
    scratch: &mut BackwardScratch,
) {
    let (config, block, slots) = (&model.config, &model.blocks[i], &model.layout.blocks[i]);
    let (d, ff, query) = (
        config.hidden_size,
        config.intermediate_size,
        config.query_width(),
    );
    let sites = lora.map(|lora| &lora.blocks[i]);
    let BackwardScratch {
        linear,
        attention,
        wide,
        narrow,
        d_qkv,
    } = scratch;

    // The MLP.
    let d_act = room(wide, n * ff);
    let back = Back {
        linear: &block.down,
        site: sites.and_then(|s| s.down.as_ref()),
        weight: &slots.down,
        bias: None,
    };
    back.run(
        hands,
        &tape.act,
        &tape.low[3],
        dx,
        Some(d_act),
        n,
        grads,
        linear,
    );
    let rows = rows_of_a_part(hands, n, ff);
    let gate_up = tape.gate_up[..n * 2 * ff].chunks_mut(rows * 2 * ff);
    hands.each(gate_up.zip(d_act.chunks(rows * ff)), |(gate_up, d_act)| {
        let rows = gate_up.chunks_exact_mut(2 * ff);
        for (gate_up, dy) in rows.zip(d_act.chunks_exact(ff)) {
            swiglu_backward(gate_up, dy);
        }
    });
    let d_normed = room(narrow, n * d);
    let site = sites.and_then(|s| s.gate_up.as_ref());
    let back = Back {
        linear: &block.gate_up,
        site,
        weight: &slots.gate_up,
        bias: None,
    };
    back.run(
        hands,
        &tape.mid_normed,
        &tape.low[2],
        &tape.gate_up,
        Some(d_normed),
        n,
        grads,
        linear,
    );
    norm_backward(
        hands,
        &tape.mid,
        &block.post_norm,
        &tape.mid_factor,
        d_normed,
        dx,
        grads,
        slots.post_norm.start,
    );

    // Attention.
    let d_attended = room(wide, n * query);
    let back = Back {
        linear: &block.o,
        site: sites.and_then(|s| s.o.as_ref()),
        weight: &slots.o,
        bias: slots.o_bias.as_ref(),
    };
    back.run(
        hands,
        &tape.attended,
        &tape.low[1],
        dx,
        Some(d_attended),
        n,
        grads,
        linear,
    );
    let width = config.qkv_width();
    let d_qkv = room(d_qkv, n * width);
    for segment in segments {
        let Segment { start, len, .. } = *segment;
        let attended = Attended {
            n: len,
            qkv: &tape.qkv[start * width..],
            out: &tape.attended[start * query..],
            d_out: &d_attended[start * query..],
            norms: &tape.norms[start * config.num_attention_heads..],
        };
        let d_qkv = &mut d_qkv[start * width..];
        attend_backward(hands, config, &attended, d_qkv, attention);
    }
    unturn_heads(model, i, segments, tape, d_qkv, grads);
    // Nothing below the first block is trained by an adapter.
    let needed = i > 0 || matches!(grads, Grads::Full(_));
    let d_normed = room(narrow, n * d);
    let site = sites.and_then(|s| s.qkv.as_ref());
    let back = Back {
        linear: &block.qkv,
        site,
        weight: &slots.qkv,
        bias: slots.qkv_bias.as_ref(),
    };
    back.run(
        hands,
        &tape.x_normed,
        &tape.low[0],
        d_qkv,
        needed.then_some(&mut *d_normed),
        n,
        grads,
        linear,
    );
    if needed {
        norm_backward(
            hands,
            &tape.x,
            &block.input_norm,
            &tape.x_factor,
            d_normed,
            dx,
            grads,
            slots.input_norm.start,
        );
    }
}

/// Through a norm of the residual stream: adds to `dx`.
#[expect(clippy::too_many_arguments, reason = "operands of a norm's way back")]
pub(crate) fn norm_backward(
    hands: Hands<'_>,
    x: &[f32],
    w: &[f32],
    factors: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    grads: &mut Grads<'_>,
    weight: usize,
) {
    let d = w.len();
    let n = dx.len() / d;
    let rows = rows_of_a_part(hands, n, d);
    let parts = x[..n * d].chunks(rows * d).zip(factors.chunks(rows));
    let parts = parts.zip(dy.chunks(rows * d)).zip(dx.chunks_mut(rows * d));
    hands.each(parts, |(((x, factors), dy), dx)| {
        let rows = x.chunks_exact(d).zip(factors).zip(dy.chunks_exact(d));
        for (((x, factor), dy), dx) in rows.zip(dx.chunks_exact_mut(d)) {
            rms_norm_backward(x, w, *factor, dy, dx, true);
        }
    });
    if let Grads::Full(grads) = grads {
        let rows = x[..n * d].chunks_exact(d).zip(factors);
        for ((x, factor), dy) in rows.zip(dy.chunks_exact(d)) {
            norm_weight_gradient(x, *factor, dy, &mut grads[weight..weight + d]);
        }
    }
}

/// From gradients of turned and normalised heads to those of the projected ones, in place.
fn unturn_heads(
    model: &Model,
    i: usize,
    segments: &[Segment],
    tape: &BlockTape,
    d_qkv: &mut [f32],
    grads: &mut Grads<'_>,
) {
    let (config, block, slots) = (&model.config, &model.blocks[i], &model.layout.blocks[i]);
    let (hd, queries) = (config.head_dim, config.num_attention_heads);
    let heads = queries + config.num_key_value_heads;
    let width = config.qkv_width();
    let mut dy = vec![0.0; hd];
    for segment in segments {
        for t in 0..segment.len {
            let row = segment.start + t;
            for (h, head) in d_qkv[row * width..][..heads * hd]
                .chunks_exact_mut(hd)
                .enumerate()
            {
                model.rotation.turn(head, segment.position + t, true);
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
