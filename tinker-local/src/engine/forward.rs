//! The way forth: from tokens to the normalised output of the last block.

use super::attention::{KeyValues, attend};
use super::config::ModelConfig;
use super::kernels::{rms_norm, swiglu};
use super::linear::{Group, forward as project};
use super::lora::{Lora, LoraSite};
use super::model::{Block, Model};
use super::tape::{BlockTape, Tape};

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

/// Where each segment's keys and values are, block by block.
pub(crate) trait Caches {
    /// Those of one segment in one block.
    fn cache(&mut self, segment: usize, block: usize) -> &mut KeyValues;
}

/// Rows that use the same adapter, if any.
pub(crate) type Adapted<'a> = Group<Option<&'a Lora>>;

/// Runs all blocks over the rows of `tokens`, which the segments cut up. The tape is left with the
/// normalised output and, if it is to `keep` them, with the activations of every block.
#[expect(clippy::too_many_arguments, reason = "what one pass works on")]
pub(crate) fn forward(
    model: &Model,
    groups: &[Adapted<'_>],
    tokens: &[u32],
    segments: &[Segment],
    caches: &mut dyn Caches,
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
        let mut attention = |tape: &mut BlockTape| {
            for (s, segment) in segments.iter().enumerate() {
                attend_segment(config, segment, caches.cache(s, i), tape, scores);
            }
        };
        forward_block(
            model,
            block,
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
        &tape.last,
        &model.norm,
        config,
        n,
        &mut tape.last_normed,
        &mut tape.last_factor,
    );
}

fn attend_segment(
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
    attend(config, cache, qkv, len, position, out, norms, scores);
}

#[expect(
    clippy::too_many_arguments,
    reason = "one block's operands, used in one place"
)]
fn forward_block(
    model: &Model,
    block: &Block,
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
        &tape.x,
        &block.input_norm,
        config,
        n,
        &mut tape.x_normed,
        &mut tape.x_factor,
    );
    let sites = select(groups, |lora| lora.blocks[i].qkv.as_ref());
    project(
        &block.qkv,
        &sites,
        &tape.x_normed,
        &mut tape.qkv,
        n,
        false,
        &mut tape.low[0],
    );
    turn_heads(model, block, segments, tape);
    attention(tape);
    tape.mid[..n * d].copy_from_slice(&tape.x[..n * d]);
    let sites = select(groups, |lora| lora.blocks[i].o.as_ref());
    project(
        &block.o,
        &sites,
        &tape.attended,
        &mut tape.mid,
        n,
        true,
        &mut tape.low[1],
    );

    norm_rows(
        &tape.mid,
        &block.post_norm,
        config,
        n,
        &mut tape.mid_normed,
        &mut tape.mid_factor,
    );
    let sites = select(groups, |lora| lora.blocks[i].gate_up.as_ref());
    project(
        &block.gate_up,
        &sites,
        &tape.mid_normed,
        &mut tape.gate_up,
        n,
        false,
        &mut tape.low[2],
    );
    let ff = config.intermediate_size;
    for (gate_up, act) in tape
        .gate_up
        .chunks_exact(2 * ff)
        .zip(tape.act.chunks_exact_mut(ff))
        .take(n)
    {
        swiglu(gate_up, act);
    }
    next[..n * d].copy_from_slice(&tape.mid[..n * d]);
    let sites = select(groups, |lora| lora.blocks[i].down.as_ref());
    project(
        &block.down,
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

/// Normalises `n` rows.
fn norm_rows(
    x: &[f32],
    w: &[f32],
    config: &ModelConfig,
    n: usize,
    y: &mut [f32],
    factors: &mut [f32],
) {
    let d = config.hidden_size;
    for ((x, y), factor) in x
        .chunks_exact(d)
        .zip(y.chunks_exact_mut(d))
        .zip(factors)
        .take(n)
    {
        *factor = rms_norm(x, w, config.rms_norm_eps, y);
    }
}

/// Normalises query and key heads where the model has that, and turns them to their positions.
fn turn_heads(model: &Model, block: &Block, segments: &[Segment], tape: &mut BlockTape) {
    let config = &model.config;
    let (hd, queries) = (config.head_dim, config.num_attention_heads);
    let heads = queries + config.num_key_value_heads;
    let width = config.qkv_width();
    for segment in segments {
        for t in 0..segment.len {
            let row = segment.start + t;
            let qkv = &mut tape.qkv[row * width..][..heads * hd];
            if let (Some(q_norm), Some(k_norm)) = (&block.q_norm, &block.k_norm) {
                let raw = &mut tape.raw[row * width..][..heads * hd];
                raw.copy_from_slice(qkv);
                for (h, head) in raw.chunks_exact(hd).enumerate() {
                    let w = if h < queries { q_norm } else { k_norm };
                    tape.qk_factor[row * heads + h] =
                        rms_norm(head, w, config.rms_norm_eps, &mut qkv[h * hd..(h + 1) * hd]);
                }
            }
            for head in qkv.chunks_exact_mut(hd) {
                model.rotation.turn(head, segment.position + t, false);
            }
        }
    }
}

#[cfg(test)]
mod tests;
