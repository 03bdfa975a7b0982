//! Packed LoRA adapter: its low-rank matrices, laid out for the forward and the backward pass.

use std::ops::Range;

use super::lora_layout::{AdapterLayout, SiteSlots};
use super::packed::{Linear, Model};
use crate::kernels::Packed;

/// The update of an adapter at one site: `scale * x A^T B^T`. Projections that share an input are one site with several
/// parts, whose `A` matrices are stacked.
#[derive(Debug, Clone)]
pub(crate) struct LoraSite {
    pub(crate) rank: usize,
    pub(crate) scale: f32,
    /// Place of the stacked `A` among the adapter's parameters.
    pub(crate) a: Range<usize>,
    /// `scale A^T`, `[in, parts * rank]`.
    pub(crate) a_forward: Packed,
    /// `A`, `[parts * rank, in]`.
    pub(crate) a_backward: Packed,
    pub(crate) parts: Vec<LoraPart>,
}

/// The `B` of one projection.
#[derive(Debug, Clone)]
pub(crate) struct LoraPart {
    /// Length of its output row.
    pub(crate) output: usize,
    /// Place of `B` among the adapter's parameters.
    pub(crate) b: Range<usize>,
    /// `B^T`, `[rank, out]`.
    pub(crate) b_forward: Packed,
    /// `B`, `[out, rank]`.
    pub(crate) b_backward: Packed,
}

impl LoraSite {
    fn new(slots: &SiteSlots, data: &[f32], rank: usize, scale: f32) -> Self {
        let a = &data[slots.a.clone()];
        let (input, width) = (slots.input, slots.parts.len() * rank);
        let parts = slots
            .parts
            .iter()
            .map(|(output, b)| LoraPart {
                output: *output,
                b: b.clone(),
                b_forward: Packed::from_columns(&data[b.clone()], rank, *output),
                b_backward: Packed::from_rows(&data[b.clone()], *output, rank, rank),
            })
            .collect();
        Self {
            rank,
            scale,
            a: slots.a.clone(),
            a_forward: Packed::from_columns(a, input, width).scaled(scale),
            a_backward: Packed::from_rows(a, width, input, input),
            parts,
        }
    }

    /// Length of a row of inner products: `parts * rank`.
    pub(crate) fn width(&self) -> usize {
        self.rank * self.parts.len()
    }
}

/// An adapter's sites in one block, in the order of [`BlockTape::low`](super::tape::BlockTape::low).
#[derive(Debug, Clone, Default)]
pub(crate) struct LoraBlock {
    pub(crate) qkv: Option<LoraSite>,
    pub(crate) o: Option<LoraSite>,
    pub(crate) gate_up: Option<LoraSite>,
    pub(crate) down: Option<LoraSite>,
}

/// A whole adapter.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lora {
    pub(crate) blocks: Vec<LoraBlock>,
    pub(crate) head: Option<LoraSite>,
}

impl Lora {
    /// Packs an adapter's parameters.
    pub(crate) fn new(layout: &AdapterLayout, data: &[f32]) -> Self {
        let site = |slots: &Option<SiteSlots>| {
            slots
                .as_ref()
                .map(|slots| LoraSite::new(slots, data, layout.rank, layout.scale()))
        };
        let blocks = layout
            .blocks
            .iter()
            .map(|[qkv, o, gate_up, down]| LoraBlock {
                qkv: site(qkv),
                o: site(o),
                gate_up: site(gate_up),
                down: site(down),
            })
            .collect();
        Self {
            blocks,
            head: site(&layout.head),
        }
    }

    /// Drops the matrices of the backward pass, half of its memory: what remains can be sampled from.
    pub(crate) fn without_backward(mut self) -> Self {
        let blocks = self.blocks.iter_mut();
        let sites = blocks.flat_map(|block| {
            [
                &mut block.qkv,
                &mut block.o,
                &mut block.gate_up,
                &mut block.down,
            ]
        });
        for site in sites.chain([&mut self.head]).flatten() {
            site.a_backward = Packed::default();
            for part in &mut site.parts {
                part.b_backward = Packed::default();
            }
        }
        self
    }

    /// Whether it fits the shape of a model.
    pub(crate) fn fits(&self, model: &Model) -> bool {
        let fits = |site: &Option<LoraSite>, linear: &Linear| {
            site.as_ref().is_none_or(|site| {
                let output: usize = site.parts.iter().map(|part| part.output).sum();
                site.a_forward.depth() == linear.input() && output == linear.output()
            })
        };
        self.blocks.len() == model.blocks.len()
            && fits(&self.head, &model.head)
            && self.blocks.iter().zip(&model.blocks).all(|(lora, block)| {
                fits(&lora.qkv, &block.qkv)
                    && fits(&lora.o, &block.o)
                    && fits(&lora.gate_up, &block.gate_up)
                    && fits(&lora.down, &block.down)
            })
    }
}
