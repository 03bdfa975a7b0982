//! Linear projections with the low-rank update of an adapter: forward and backward passes.

use std::ops::Range;

use super::lora::LoraSite;
use super::packed::{Linear, Precision};
use super::tape::room;
use crate::kernels::{Out, Packed, Rows, add, add_scaled, gemm_by, scale};
use crate::threads::PoolHandle;

/// Rows of a batch that use the same adapter.
#[derive(Debug, Clone)]
pub(crate) struct Group<T> {
    /// The rows.
    pub(crate) rows: Range<usize>,
    /// The adapter, or its part at one site.
    pub(crate) with: T,
}

/// `y = x W^T + bias`, plus the low-rank update of each group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Projection<'a> {
    pub(crate) linear: &'a Linear,
    pub(crate) precision: Precision,
    pub(crate) groups: &'a [Group<Option<&'a LoraSite>>],
    /// Adds to `y` instead of replacing it.
    pub(crate) accumulate: bool,
}

impl Projection<'_> {
    /// Projects `n` rows: `x` is `[n, in]`, `y` is `[n, out]`. Leaves the low-rank inner products `x A^T` of each group
    /// in `low`, at the group's first row times its width.
    pub(crate) fn apply(
        &self,
        pool: PoolHandle<'_>,
        n: usize,
        x: &[f32],
        y: &mut [f32],
        low: &mut Vec<f32>,
    ) {
        let (linear, accumulate) = (self.linear, self.accumulate);
        let (input, output) = (linear.input(), linear.output());
        let (shape, a) = ([n, output, input], Rows::new(x, input));
        let rounded = linear.rounded.as_ref();
        if let Some(rounded) = rounded.filter(|_| self.precision == Precision::Rounded) {
            let sums = room(low, n * output); // [n, out]
            gemm_by(pool, shape, a, rounded.operand(), Out::set(sums, output));
            let rows = y.chunks_exact_mut(output).zip(sums.chunks_exact(output));
            for (y, sums) in rows {
                if !accumulate {
                    y.fill(0.0);
                }
                add_scaled(y, sums, rounded.scales());
            }
        } else {
            let c = Out::new(y, output, accumulate);
            gemm_by(pool, shape, a, linear.forward.operand(), c);
        }
        if let Some(bias) = &linear.bias {
            for row in y[..n * output].chunks_exact_mut(output) {
                add(row, bias);
            }
        }
        for group in self.groups {
            let Some(site) = group.with else { continue };
            let (first, m, width) = (group.rows.start, group.rows.len(), site.width());
            let inner = &mut room(low, group.rows.end * width)[first * width..]; // [m, parts * rank]
            let a = Rows::new(&x[first * input..], input);
            let b = site.a_forward.operand();
            gemm_by(pool, [m, width, input], a, b, Out::set(inner, width));
            let mut column = 0;
            for (p, part) in site.parts.iter().enumerate() {
                let a = Rows::new(&inner[p * site.rank..], width);
                let c = Out::add(&mut y[first * output + column..], output);
                let b = part.b_forward.operand();
                gemm_by(pool, [m, part.output, site.rank], a, b, c);
                column += part.output;
            }
        }
    }
}

/// Destination of weight gradients.
#[derive(Debug)]
pub(crate) enum Grads<'a> {
    /// An adapter's gradients, laid out as its parameters are.
    Lora(&'a mut [f32]),
    /// Gradients of every weight, laid out as the weights are.
    Full(&'a mut [f32]),
}

/// Backward pass of one projection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProjectionBackward<'a> {
    pub(crate) linear: &'a Linear,
    pub(crate) site: Option<&'a LoraSite>,
    /// Place of the weight among all weights.
    pub(crate) weight: &'a Range<usize>,
    /// Place of the bias among all weights.
    pub(crate) bias: Option<&'a Range<usize>>,
    /// Input of the forward pass, `[n, in]`.
    pub(crate) x: &'a [f32],
    /// Low-rank inner products of the forward pass, `[n, parts * rank]`.
    pub(crate) low: &'a [f32],
}

/// Buffers of the backward pass through a projection.
#[derive(Debug, Default)]
pub(crate) struct ProjectionScratch {
    packed: Packed,
    d_low: Vec<f32>,
}

impl ProjectionBackward<'_> {
    /// From the gradient of the output, `dy`, `[n, out]`: adds to the gradients of the weights and replaces `dx`,
    /// `[n, in]`.
    pub(crate) fn run(
        &self,
        pool: PoolHandle<'_>,
        n: usize,
        dy: &[f32],
        dx: Option<&mut [f32]>,
        grads: &mut Grads<'_>,
        scratch: &mut ProjectionScratch,
    ) {
        let (x, low) = (self.x, self.low);
        let (input, output) = (self.linear.input(), self.linear.output());
        let ProjectionScratch { packed, d_low } = scratch;
        if let Grads::Full(grads) = grads {
            packed.pack_rows(x, n, input, input);
            let (a, b) = (Rows::transposed(dy, output), packed.operand());
            let c = &mut grads[self.weight.clone()]; // [out, in]
            gemm_by(pool, [output, input, n], a, b, Out::add(c, input));
            if let Some(bias) = self.bias {
                let c = &mut grads[bias.clone()];
                for row in dy[..n * output].chunks_exact(output) {
                    add(c, row);
                }
            }
        }
        if let (Grads::Lora(grads), Some(site)) = (&mut *grads, self.site) {
            let width = site.width();
            let inner = room(d_low, n * width); // [n, parts * rank]
            let mut column = 0;
            for (p, part) in site.parts.iter().enumerate() {
                let from = p * site.rank;
                packed.pack_rows(&low[from..], n, site.rank, width);
                let c = Out::add(&mut grads[part.b.clone()], site.rank); // [out, rank]
                let a = Rows::transposed(&dy[column..], output);
                let b = packed.operand();
                gemm_by(pool, [part.output, site.rank, n], a, b, c);
                let a = Rows::new(&dy[column..], output);
                let b = part.b_backward.operand();
                let c = &mut inner[from..];
                gemm_by(pool, [n, site.rank, part.output], a, b, Out::set(c, width));
                column += part.output;
            }
            scale(inner, site.scale);
            packed.pack_rows(x, n, input, input);
            let (a, b) = (Rows::transposed(inner, width), packed.operand());
            let c = &mut grads[site.a.clone()]; // [parts * rank, in]
            gemm_by(pool, [width, input, n], a, b, Out::add(c, input));
        }
        let Some(dx) = dx else { return };
        let (a, b) = (Rows::new(dy, output), self.linear.backward.operand());
        gemm_by(pool, [n, input, output], a, b, Out::set(dx, input));
        if let (Grads::Lora(_), Some(site)) = (&*grads, self.site) {
            let (a, b) = (Rows::new(d_low, site.width()), site.a_backward.operand());
            gemm_by(pool, [n, input, site.width()], a, b, Out::add(dx, input));
        }
    }
}
