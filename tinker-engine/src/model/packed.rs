//! Packed model: every weight laid out for the forward and the backward pass.

use std::ops::Range;

use super::config::ModelConfig;
use super::layout::Layout;
use super::weights::Weights;
use crate::kernels::{Packed, Quantized, RopeTable};
use crate::threads::ThreadPool;

/// `y = x W^T + bias`, packed for the forward and the backward pass.
#[derive(Debug, Clone, Default)]
pub(crate) struct Linear {
    /// `W^T`, `[in, out]`.
    pub(crate) forward: Packed,
    /// `W`, `[out, in]`.
    pub(crate) backward: Packed,
    /// `[out]`.
    pub(crate) bias: Option<Vec<f32>>,
    /// `forward`, rounded to 8 bits.
    pub(crate) rounded: Option<Quantized>,
}

/// Which copies of a model's weights a pass reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    /// The exact weights.
    Exact,
    /// The rounded copies, where the model has them.
    Rounded,
}

impl Linear {
    fn pack(&mut self, weight: &[f32], bias: Option<&[f32]>, input: usize) {
        let output = weight.len() / input;
        self.forward.pack_columns(weight, input, output, input);
        self.backward.pack_rows(weight, output, input, input);
        self.bias = bias.map(<[f32]>::to_vec);
    }

    /// Halves its memory if its weights allow: see [`Packed::narrow`].
    fn narrow(&mut self) {
        self.forward.narrow();
        self.backward.narrow();
    }

    /// Length of an output row.
    pub(crate) fn output(&self) -> usize {
        self.forward.columns()
    }

    /// Length of an input row.
    pub(crate) fn input(&self) -> usize {
        self.forward.depth()
    }
}

/// One block of the decoder.
#[derive(Debug, Clone, Default)]
pub(crate) struct Block {
    pub(crate) input_norm: Vec<f32>,
    pub(crate) qkv: Linear,
    pub(crate) q_norm: Option<Vec<f32>>,
    pub(crate) k_norm: Option<Vec<f32>>,
    pub(crate) o: Linear,
    pub(crate) post_norm: Vec<f32>,
    pub(crate) gate_up: Linear,
    pub(crate) down: Linear,
}

/// A decoder. All adapters share it and none changes it.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) config: ModelConfig,
    pub(crate) layout: Layout,
    /// `[vocab, hidden]`; `None` if it is the head's.
    pub(crate) embed: Option<Packed>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) norm: Vec<f32>,
    pub(crate) head: Linear,
    pub(crate) rope: RopeTable,
}

impl Model {
    /// Packs the weights.
    pub(crate) fn new(config: ModelConfig, weights: &Weights) -> Self {
        let mut model = Self::empty(config, weights.layout.clone());
        model.repack(&weights.data);
        model.linears().for_each(Linear::narrow);
        if let Some(embed) = &mut model.embed {
            embed.narrow();
        }
        model
    }

    /// A model without weights.
    pub(crate) fn empty(config: ModelConfig, layout: Layout) -> Self {
        let rope = RopeTable::new(&config.rope_frequencies(), config.max_position_embeddings);
        let blocks = vec![Block::default(); config.num_hidden_layers];
        Self {
            config,
            layout,
            embed: None,
            blocks,
            norm: Vec::new(),
            head: Linear::default(),
            rope,
        }
    }

    /// Number of weights in the matrices that a token passes through.
    pub(crate) fn weights(&self) -> usize {
        let size = |linear: &Linear| linear.input() * linear.output();
        let blocks = self.blocks.iter().map(|block| {
            size(&block.qkv) + size(&block.o) + size(&block.gate_up) + size(&block.down)
        });
        blocks.sum::<usize>() + size(&self.head)
    }

    /// The matrices a token passes through.
    fn linears(&mut self) -> impl Iterator<Item = &mut Linear> {
        let blocks = self.blocks.iter_mut().flat_map(|block| {
            [
                &mut block.qkv,
                &mut block.o,
                &mut block.gate_up,
                &mut block.down,
            ]
        });
        std::iter::once(&mut self.head).chain(blocks)
    }

    /// Makes rounded copies of all matrices a token passes through.
    pub(crate) fn round(&mut self, pool: &ThreadPool) {
        let linears: Vec<_> = self.linears().collect();
        pool.each(linears, |_, linear| {
            linear.rounded = Some(Quantized::new(&linear.forward));
        });
    }

    /// The embedding, one row for each token: `[vocab, hidden]`.
    pub(crate) fn embedding(&self) -> &Packed {
        self.embed.as_ref().unwrap_or(&self.head.backward)
    }

    /// Packs changed weights into the memory of the previous ones.
    pub(crate) fn repack(&mut self, data: &[f32]) {
        let (d, q, ff) = (
            self.config.hidden_size,
            self.config.query_width(),
            self.config.intermediate_size,
        );
        let all = |slot: &Range<usize>| &data[slot.clone()];
        let some = |slot: &Option<Range<usize>>| slot.as_ref().map(all);
        if self.layout.embed != self.layout.head {
            let (embed, vocab) = (all(&self.layout.embed), self.config.vocab_size);
            let packed = self.embed.get_or_insert_default();
            packed.pack_rows(embed, vocab, d, d);
        }
        for (block, slots) in self.blocks.iter_mut().zip(&self.layout.blocks) {
            block.input_norm = all(&slots.input_norm).to_vec();
            block.qkv.pack(all(&slots.qkv), some(&slots.qkv_bias), d);
            block.q_norm = some(&slots.q_norm).map(<[f32]>::to_vec);
            block.k_norm = some(&slots.k_norm).map(<[f32]>::to_vec);
            block.o.pack(all(&slots.o), some(&slots.o_bias), q);
            block.post_norm = all(&slots.post_norm).to_vec();
            block.gate_up.pack(all(&slots.gate_up), None, d);
            block.down.pack(all(&slots.down), None, ff);
        }
        self.norm = all(&self.layout.norm).to_vec();
        self.head.pack(all(&self.layout.head), None, d);
    }
}
