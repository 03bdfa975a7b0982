//! A projection with whatever an adapter adds to it, both ways.

use std::ops::Range;

use super::lora::LoraSite;
use super::packed::{Linear, Precision};
use super::tape::room;
use crate::kernels::{Out, Packed, Rows, add, add_scaled, gemm_by, scale};
use crate::threads::Hands;

/// Rows of a batch that use the same adapter.
#[derive(Debug, Clone)]
pub(crate) struct Group<T> {
    /// The rows.
    pub(crate) rows: Range<usize>,
    /// What they use.
    pub(crate) with: T,
}

/// `y = x W^T + bias`, or `y += ..` if `accumulate`, for `n` rows, plus each group's low-rank part.
/// `low` is left with the inner products of the groups, each group's at its first row times its width.
#[expect(
    clippy::too_many_arguments,
    reason = "operands and outputs of a product"
)]
pub(crate) fn project(
    hands: Hands<'_>,
    linear: &Linear,
    precision: Precision,
    groups: &[Group<Option<&LoraSite>>],
    x: &[f32],
    y: &mut [f32],
    n: usize,
    accumulate: bool,
    low: &mut Vec<f32>,
) {
    let (input, output) = (linear.input(), linear.output());
    let (shape, a) = ([n, output, input], Rows::new(x, input));
    let rounded = linear.rounded.as_ref();
    if let Some(rounded) = rounded.filter(|_| precision == Precision::Rounded) {
        let sums = room(low, n * output);
        gemm_by(hands, shape, a, rounded.operand(), Out::set(sums, output));
        let rows = y.chunks_exact_mut(output).zip(sums.chunks_exact(output));
        for (y, sums) in rows {
            if !accumulate {
                y.fill(0.0);
            }
            add_scaled(y, sums, rounded.scales());
        }
    } else {
        let c = Out::new(y, output, accumulate);
        gemm_by(hands, shape, a, linear.forward.operand(), c);
    }
    if let Some(bias) = &linear.bias {
        for row in y[..n * output].chunks_exact_mut(output) {
            add(row, bias);
        }
    }
    for group in groups {
        let Some(site) = group.with else { continue };
        let (first, m, width) = (group.rows.start, group.rows.len(), site.width());
        let inner = &mut room(low, group.rows.end * width)[first * width..];
        let a = Rows::new(&x[first * input..], input);
        let b = site.a_forward.operand();
        gemm_by(hands, [m, width, input], a, b, Out::set(inner, width));
        let mut column = 0;
        for (p, part) in site.parts.iter().enumerate() {
            let a = Rows::new(&inner[p * site.rank..], width);
            let c = &mut y[first * output + column..];
            let b = part.b_forward.operand();
            gemm_by(
                hands,
                [m, part.output, site.rank],
                a,
                b,
                Out::add(c, output),
            );
            column += part.output;
        }
    }
}

/// Where gradients of weights go.
#[derive(Debug)]
pub(crate) enum Grads<'a> {
    /// To an adapter's, laid out as its parameters are.
    Lora(&'a mut [f32]),
    /// To those of every weight, laid out as the weights are.
    Full(&'a mut [f32]),
}

/// A projection seen from the way back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Back<'a> {
    pub(crate) linear: &'a Linear,
    pub(crate) site: Option<&'a LoraSite>,
    /// Where the weight lies among all weights.
    pub(crate) weight: &'a Range<usize>,
    /// Where the bias lies among all weights.
    pub(crate) bias: Option<&'a Range<usize>>,
}

/// Buffers of the way back through a projection.
#[derive(Debug, Default)]
pub(crate) struct LinearScratch {
    packed: Packed,
    d_low: Vec<f32>,
}

impl Back<'_> {
    /// From the gradient of the output, `dy`, adds to the gradients of weights and replaces `dx`.
    /// `x` and `low` are the input and the inner products of the way forth.
    #[expect(
        clippy::too_many_arguments,
        reason = "operands and outputs of a product's way back"
    )]
    pub(crate) fn run(
        &self,
        hands: Hands<'_>,
        x: &[f32],
        low: &[f32],
        dy: &[f32],
        dx: Option<&mut [f32]>,
        n: usize,
        grads: &mut Grads<'_>,
        scratch: &mut LinearScratch,
    ) {
        let (input, output) = (self.linear.input(), self.linear.output());
        let LinearScratch { packed, d_low } = scratch;
        if let Grads::Full(grads) = grads {
            packed.pack_rows(x, n, input, input);
            let (a, b) = (Rows::transposed(dy, output), packed.operand());
            let c = &mut grads[self.weight.clone()];
            gemm_by(hands, [output, input, n], a, b, Out::add(c, input));
            if let Some(bias) = self.bias {
                let c = &mut grads[bias.clone()];
                for row in dy[..n * output].chunks_exact(output) {
                    add(c, row);
                }
            }
        }
        if let (Grads::Lora(grads), Some(site)) = (&mut *grads, self.site) {
            let width = site.width();
            let inner = room(d_low, n * width);
            let mut column = 0;
            for (p, part) in site.parts.iter().enumerate() {
                let from = p * site.rank;
                packed.pack_rows(&low[from..], n, site.rank, width);
                let c = &mut grads[part.b.clone()];
                let a = Rows::transposed(&dy[column..], output);
                let b = packed.operand();
                gemm_by(
                    hands,
                    [part.output, site.rank, n],
                    a,
                    b,
                    Out::add(c, site.rank),
                );
                let a = Rows::new(&dy[column..], output);
                let b = part.b_backward.operand();
                let c = &mut inner[from..];
                gemm_by(hands, [n, site.rank, part.output], a, b, Out::set(c, width));
                column += part.output;
            }
            scale(inner, site.scale);
            packed.pack_rows(x, n, input, input);
            let (a, b) = (Rows::transposed(inner, width), packed.operand());
            let c = &mut grads[site.a.clone()];
            gemm_by(hands, [width, input, n], a, b, Out::add(c, input));
        }
        let Some(dx) = dx else { return };
        let (a, b) = (Rows::new(dy, output), self.linear.backward.operand());
        gemm_by(hands, [n, input, output], a, b, Out::set(dx, input));
        if let (Grads::Lora(_), Some(site)) = (&*grads, self.site) {
            let (a, b) = (Rows::new(d_low, site.width()), site.a_backward.operand());
            gemm_by(hands, [n, input, site.width()], a, b, Out::add(dx, input));
        }
    }
}
