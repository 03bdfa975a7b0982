//! The way forth: from tokens to the normalised output of the last block.

use super::attention::{History, KeyValues, attend, attend_rows};
use super::config::ModelConfig;
use super::linear::{Group, project};
use super::lora::{Lora, LoraSite};
use super::packed::{Block, Model, Precision};
use super::tape::{BlockTape, Tape};
use crate::kernels::{rms_norm, swiglu};
use crate::threads::Hands;

/// Consecutive rows that are consecutive tokens of one sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// First row.
    pub(crate) start: usize,
    /// Rows.
    pub(crate) len: usize,
    /// Position of the first row in its sequence.
    pub(crate) position: usize,
}

/// Where the keys and values are.
pub(crate) enum Caches<'a> {
    /// Of segments of any length.
    Segments(&'a mut dyn SegmentCaches),
    /// Of segments of one row each.
    Rows(Vec<History<'a>>),
}

/// Keys and values of segments, block by block.
pub(crate) trait SegmentCaches {
    /// Those of one segment in one block.
    fn cache(&mut self, segment: usize, block: usize) -> &mut KeyValues;
}

/// Rows that use the same adapter, if any.
pub(crate) type Adapted<'a> = Group<Option<&'a Lora>>;

/// Runs all blocks over the rows of `tokens`, which the segments cut up. The tape is left with the
/// normalised output and, if it is to `keep` them, with the activations of every block.
#[expect(clippy::too_many_arguments, reason = "what one pass works on")]
pub(crate) fn forward(
    hands: Hands<'_>,
    model: &Model,
    precision: Precision,
    groups: &[Adapted<'_>],
    tokens: &[u32],
    segments: &[Segment],
    mut caches: Caches<'_>,
    tape: &mut Tape,
    scores: &mut Vec<f32>,
    keep: bool,
) {
    let config = &model.config;
    let (n, d) = (tokens.len(), config.hidden_size);
    tape.resize(config, n, if keep { config.num_hidden_layers } else { 1 });
    for (row, token) in tape.blocks[0].x.chunks_exact_mut(d).zip(tokens) {
        model.embedding().copy_row(*token as usize, row);
    }
    let positions: Vec<usize> = segments.iter().map(|s| s.position).collect();
    for (i, block) in model.blocks.iter().enumerate() {
        let at = if keep { i } else { 0 };
        if i > 0 && !keep {
            std::mem::swap(&mut tape.blocks[0].x, &mut tape.last);
        }
        let (done, left) = tape.blocks.split_at_mut(at + 1);
        let next = match left.first_mut() {
            Some(next) if keep => &mut next.x,
            _ => &mut tape.last,
        };
        let mut attention = |tape: &mut BlockTape| match &mut caches {
            Caches::Rows(rows) => {
                let (qkv, out) = (&tape.qkv, &mut tape.attended);
                attend_rows(hands, config, i, rows, &positions, qkv, out, scores);
            }
            Caches::Segments(caches) => {
                for (s, segment) in segments.iter().enumerate() {
                    attend_segment(hands, config, segment, caches.cache(s, i), tape, scores);
                }
            }
        };
        forward_block(
            hands,
            model,
            block,
            precision,
            groups,
            i,
            n,
            segments,
            &mut done[at],
            next,
            &mut attention,
        );
    }
    norm_rows(
        hands,
        &tape.last,
        &model.norm,
        config,
        n,
        &mut tape.last_normed,
        &mut tape.last_factor,
    );
}

fn attend_segment(
    hands: Hands<'_>,
    config: &ModelConfig,
    segment: &Segment,
    cache: &mut KeyValues,
    tape: &mut BlockTape,
    scores: &mut Vec<f32>,
) {
    let Segment {
        start,
        len,
        position,
    } = *segment;
    let width = config.qkv_width();
    let qkv = &tape.qkv[start * width..(start + len) * width];
    for (t, row) in qkv.chunks_exact(width).enumerate() {
        cache.put(config, position + t, row);
    }
    let out = &mut tape.attended[start * config.query_width()..];
    let norms = &mut tape.norms[start * config.num_attention_heads..];
    attend(hands, config, cache, qkv, len, position, out, norms, scores);
}

#[expect(
    clippy::too_many_arguments,
    reason = "one block's operands, used in one place"
)]
fn forward_block(
    hands: Hands<'_>,
    model: &Model,
    block: &Block,
    precision: Precision,
    groups: &[Adapted<'_>],
    i: usize,
    n: usize,
    segments: &[Segment],
    tape: &mut BlockTape,
    next: &mut [f32],
    attention: &mut dyn FnMut(&mut BlockTape),
) {
    let config = &model.config;
    let d = config.hidden_size;
    norm_rows(
        hands,
        &tape.x,
        &block.input_norm,
        config,
        n,
        &mut tape.x_normed,
        &mut tape.x_factor,
    );
    let sites = select(groups, |lora| lora.blocks[i].qkv.as_ref());
    project(
        hands,
        &block.qkv,
        precision,
        &sites,
        &tape.x_normed,
        &mut tape.qkv,
        n,
        false,
        &mut tape.low[0],
    );
    turn_heads(hands, model, block, segments, tape);
    attention(tape);
    tape.mid[..n * d].copy_from_slice(&tape.x[..n * d]);
    let sites = select(groups, |lora| lora.blocks[i].o.as_ref());
    project(
        hands,
        &block.o,
        precision,
        &sites,
        &tape.attended,
        &mut tape.mid,
        n,
        true,
        &mut tape.low[1],
    );

    norm_rows(
        hands,
        &tape.mid,
        &block.post_norm,
        config,
        n,
        &mut tape.mid_normed,
        &mut tape.mid_factor,
    );
    let sites = select(groups, |lora| lora.blocks[i].gate_up.as_ref());
    project(
        hands,
        &block.gate_up,
        precision,
        &sites,
        &tape.mid_normed,
        &mut tape.gate_up,
        n,
        false,
        &mut tape.low[2],
    );
    let ff = config.intermediate_size;
    let rows = rows_of_a_part(hands, n, ff);
    let gate_up = tape.gate_up[..n * 2 * ff].chunks(rows * 2 * ff);
    let act = tape.act[..n * ff].chunks_mut(rows * ff);
    hands.each(gate_up.zip(act), |(gate_up, act)| {
        for (gate_up, act) in gate_up.chunks_exact(2 * ff).zip(act.chunks_exact_mut(ff)) {
            swiglu(gate_up, act);
        }
    });
    next[..n * d].copy_from_slice(&tape.mid[..n * d]);
    let sites = select(groups, |lora| lora.blocks[i].down.as_ref());
    project(
        hands,
        &block.down,
        precision,
        &sites,
        &tape.act,
        next,
        n,
        true,
        &mut tape.low[3],
    );
}

/// The same place of every group's adapter.
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

/// Rows of each part when the work on `n` rows of `width` numbers, some vector instructions each, is
/// shared.
pub(crate) fn rows_of_a_part(hands: Hands<'_>, n: usize, width: usize) -> usize {
    // A number costs about as much as this many multiply-adds of a product.
    const COST: usize = 32;
    n.div_ceil(hands.parts(n * width * COST)).max(1)
}

/// Normalises `n` rows.
fn norm_rows(
    hands: Hands<'_>,
    x: &[f32],
    w: &[f32],
    config: &ModelConfig,
    n: usize,
    y: &mut [f32],
    factors: &mut [f32],
) {
    let d = config.hidden_size;
    let rows = rows_of_a_part(hands, n, d);
    let parts = x[..n * d].chunks(rows * d).zip(y.chunks_mut(rows * d));
    let parts = parts.zip(factors.chunks_mut(rows));
    hands.each(parts, |((x, y), factors)| {
        let rows = x.chunks_exact(d).zip(y.chunks_exact_mut(d));
        for ((x, y), factor) in rows.zip(factors) {
            *factor = rms_norm(x, w, config.rms_norm_eps, y);
        }
    });
}

/// Normalises query and key heads where the model has that, and turns them to their positions.
fn turn_heads(
    hands: Hands<'_>,
    model: &Model,
    block: &Block,
    segments: &[Segment],
    tape: &mut BlockTape,
) {
    let config = &model.config;
    let (hd, queries) = (config.head_dim, config.num_attention_heads);
    let heads = queries + config.num_key_value_heads;
    let width = config.qkv_width();
    let norms = block.q_norm.as_ref().zip(block.k_norm.as_ref());
    let turn = |qkv: &mut [f32], kept: &mut [f32], factors: &mut [f32], position: usize| {
        let qkv = &mut qkv[..heads * hd];
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
            model.rotation.turn(head, position, false);
        }
    };
    for segment in segments {
        let Segment {
            start,
            len,
            position,
        } = *segment;
        let rows = rows_of_a_part(hands, len, width);
        let qkv = tape.qkv[start * width..][..len * width].chunks_mut(rows * width);
        let factors = tape.qk_factor[start * heads..][..len * heads].chunks_mut(rows * heads);
        let positions = (position..position + len).step_by(rows);
        if norms.is_none() {
            hands.each(qkv.zip(positions), |(qkv, first)| {
                for (t, row) in qkv.chunks_exact_mut(width).enumerate() {
                    turn(row, &mut [], &mut [], first + t);
                }
            });
            continue;
        }
        let raw = tape.raw[start * width..][..len * width].chunks_mut(rows * width);
        let parts = qkv.zip(raw).zip(factors).zip(positions);
        hands.each(parts, |(((qkv, raw), factors), first)| {
            let rows = qkv.chunks_exact_mut(width).zip(raw.chunks_exact_mut(width));
            let rows = rows.zip(factors.chunks_exact_mut(heads));
            for (t, ((qkv, raw), factors)) in rows.enumerate() {
                turn(qkv, raw, factors, first + t);
            }
        });
    }
}

#[cfg(test)]
mod tests;
