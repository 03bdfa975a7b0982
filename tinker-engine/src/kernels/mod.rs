//! Numeric kernels. Each is written once over [`Lanes`](lanes::Lanes) and compiled for each instruction set: AVX-512,
//! AVX2 with FMA, NEON, and plain Rust; [`Level`] selects one at run time.
//!
//! Invariant of all kernels: the value of an output row depends on its input row and the weights only, bit for bit. It
//! does not depend on how many rows are computed together, in which order, or on how many threads. Sampling and training
//! rely on it.
//!
//! Why not a GEMM crate: `gemm`, `faer` and `matrixmultiply` choose their blocking by the number of rows, so a row's sum
//! is ordered differently in a batch of 1 and of 16, and none of them keeps a weight packed between calls, which is most
//! of the work of a single-row product.

#![expect(
    unsafe_code,
    reason = "vector instructions and unchecked addresses; measured, see each SAFETY comment"
)]
#![expect(
    clippy::inline_always,
    reason = "a kernel gets its instruction set from the function it is inlined into"
)]

mod aligned;
mod arith;
mod attend;
mod element;
mod exp;
mod gemm;
mod lanes;
mod level;
mod norm;
mod operand;
mod optim;
mod packed;
mod quantized;
mod rope;
mod softmax;
mod stored;
mod swiglu;
mod tile;

pub(crate) use aligned::Aligned;
pub(crate) use arith::{add, add_scaled, all_finite, dot, scale, sum_of_squares};
pub(crate) use attend::{Position, Stretch, attend_position};
pub(crate) use gemm::{gemm, gemm_by};
pub(crate) use level::Level;
pub(crate) use norm::{rms_norm, rms_norm_backward};
pub(crate) use operand::{Operand, Out, PANEL, Rows};
pub(crate) use optim::{AdamConstants, adam};
pub(crate) use packed::Packed;
pub(crate) use quantized::Quantized;
pub(crate) use rope::RopeTable;
pub(crate) use softmax::{
    WEIGHT_BLOCK, causal_softmax, causal_softmax_backward, first_greatest, log_sum_exp,
    probabilities, softmax_weights,
};
pub(crate) use stored::{Kind, Stored};
pub(crate) use swiglu::{swiglu, swiglu_backward};

#[cfg(test)]
mod tests;
