//! The low-rank matrices of an adapter, packed for both directions.

use std::ops::Range;

use super::kernels::Packed;

/// What an adapter adds to one place: `scale * x A^T B^T`. Projections that share an input are one
/// place with several parts, whose `A` matrices are stacked.
#[derive(Debug, Clone)]
pub(crate) struct LoraSite {
    pub(crate) rank: usize,
    pub(crate) scale: f32,
    /// Where the stacked `A` lies among the adapter's parameters.
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
    /// Where `B` lies among the adapter's parameters.
    pub(crate) b: Range<usize>,
    /// `B^T`, `[rank, out]`.
    pub(crate) b_forward: Packed,
    /// `B`, `[out, rank]`.
    pub(crate) b_backward: Packed,
}

impl LoraSite {
    /// Length of a row of inner products.
    pub(crate) fn width(&self) -> usize {
        self.rank * self.parts.len()
    }
}

/// An adapter's places in one block, in the order of [`BlockTape::low`](super::tape::BlockTape::low).
#[derive(Debug, Clone, Default)]
pub(crate) struct LoraBlock {
    pub(crate) qkv: Option<LoraSite>,
    pub(crate) o: Option<LoraSite>,
    pub(crate) gate_up: Option<LoraSite>,
    pub(crate) down: Option<LoraSite>,
}

/// A whole adapter, ready to compute with.
#[derive(Debug, Clone)]
pub(crate) struct Lora {
    pub(crate) blocks: Vec<LoraBlock>,
    pub(crate) head: Option<LoraSite>,
}
