//! Tape: activations that the forward pass keeps for the backward pass. Buffers only grow and are reused.

use super::config::ModelConfig;

/// The first `n` elements of a buffer, which grows if needed. Their values are unspecified.
pub(crate) fn room(buffer: &mut Vec<f32>, n: usize) -> &mut [f32] {
    if buffer.len() < n {
        buffer.resize(n, 0.0);
    }
    &mut buffer[..n]
}

/// The first `n` elements of a buffer, all zero.
pub(crate) fn zeroed(buffer: &mut Vec<f32>, n: usize) -> &mut [f32] {
    let room = room(buffer, n);
    room.fill(0.0);
    room
}

/// Activations of one block for `N` rows. Widths in brackets are per row.
#[derive(Debug, Clone, Default)]
pub(crate) struct BlockTape {
    /// Input, `[hidden]`.
    pub(crate) x: Vec<f32>,
    /// RMSNorm factor of the input.
    pub(crate) x_factor: Vec<f32>,
    /// Normalised input, `[hidden]`.
    pub(crate) x_normed: Vec<f32>,
    /// Queries, keys and values as projected, `[qkv]`; kept only where a norm follows.
    pub(crate) raw: Vec<f32>,
    /// RMSNorm factors of the query and key heads, `[heads]`.
    pub(crate) qk_factor: Vec<f32>,
    /// Queries and keys, normalised and with rotary embeddings applied, and values, `[qkv]`.
    pub(crate) qkv: Vec<f32>,
    /// Logarithm of the softmax normaliser of each query head, `[query heads]`.
    pub(crate) norms: Vec<f32>,
    /// Output of attention, `[query]`.
    pub(crate) attended: Vec<f32>,
    /// After attention, `[hidden]`.
    pub(crate) mid: Vec<f32>,
    /// RMSNorm factor of `mid`.
    pub(crate) mid_factor: Vec<f32>,
    /// Normalised `mid`, `[hidden]`.
    pub(crate) mid_normed: Vec<f32>,
    /// Gate and up, `[2 intermediate]`; the backward pass replaces them by their gradients.
    pub(crate) gate_up: Vec<f32>,
    /// `silu(gate) up`, `[intermediate]`.
    pub(crate) act: Vec<f32>,
    /// Low-rank inner products of the four sites of an adapter, scaled, `[parts * rank]` each.
    pub(crate) low: [Vec<f32>; 4],
}

/// Activations of a whole model.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tape {
    /// One for each block, or one that all blocks reuse.
    pub(crate) blocks: Vec<BlockTape>,
    /// Output of the last block, `[hidden]`.
    pub(crate) last: Vec<f32>,
    /// RMSNorm factor of `last`.
    pub(crate) last_factor: Vec<f32>,
    /// Normalised `last`, `[hidden]`.
    pub(crate) last_normed: Vec<f32>,
    /// Attention scores.
    pub(crate) scores: Vec<f32>,
}

impl Tape {
    /// Makes room for `n` rows of `blocks` blocks.
    pub(crate) fn resize(&mut self, config: &ModelConfig, n: usize, blocks: usize) {
        let (d, qkv, ff) = (
            config.hidden_size,
            config.qkv_width(),
            config.intermediate_size,
        );
        if self.blocks.len() < blocks {
            self.blocks.resize_with(blocks, BlockTape::default);
        }
        for block in &mut self.blocks[..blocks] {
            for (buffer, width) in [
                (&mut block.x, d),
                (&mut block.x_factor, 1),
                (&mut block.x_normed, d),
                (&mut block.raw, if config.qk_norm { qkv } else { 0 }),
                (
                    &mut block.qk_factor,
                    config.num_attention_heads + config.num_key_value_heads,
                ),
                (&mut block.qkv, qkv),
                (&mut block.norms, config.num_attention_heads),
                (&mut block.attended, config.query_width()),
                (&mut block.mid, d),
                (&mut block.mid_factor, 1),
                (&mut block.mid_normed, d),
                (&mut block.gate_up, 2 * ff),
                (&mut block.act, ff),
            ] {
                room(buffer, n * width);
            }
        }
        room(&mut self.last, n * d);
        room(&mut self.last_factor, n);
        room(&mut self.last_normed, n * d);
    }
}
