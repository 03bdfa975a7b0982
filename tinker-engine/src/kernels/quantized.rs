//! Weights rounded to 8 bits, which are read in half the time of 16 bits.

use super::element::View;
use super::operand::{Operand, PANEL};
use super::packed::Packed;

/// Steps from zero to the largest weight of a column.
const STEPS: f32 = 127.0;

/// A copy of a [`Packed`] with integer elements and one scale for each column, which is a row of the weight.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quantized {
    panels: Vec<i8>,
    scales: Vec<f32>,
    k: usize,
}

impl Quantized {
    /// Rounds to the nearest step.
    pub(crate) fn new(exact: &Packed) -> Self {
        let (k, n) = (exact.depth(), exact.columns());
        let mut row = vec![0.0; n];
        let mut scales = vec![0.0_f32; n];
        for p in 0..k {
            exact.copy_row(p, &mut row);
            for (most, weight) in scales.iter_mut().zip(&row) {
                *most = most.max(weight.abs());
            }
        }
        for scale in &mut scales {
            *scale /= STEPS;
        }
        // A column of zeros has scale 0; its weights are 0 / 0, NaN, which casts to 0.
        let mut panels = vec![0; n.div_ceil(PANEL) * k * PANEL];
        for p in 0..k {
            exact.copy_row(p, &mut row);
            let parts = row.chunks(PANEL).zip(scales.chunks(PANEL));
            for (panel, (weights, scales)) in panels.chunks_exact_mut(k * PANEL).zip(parts) {
                let into = &mut panel[p * PANEL..(p + 1) * PANEL];
                for ((to, weight), scale) in into.iter_mut().zip(weights).zip(scales) {
                    *to = (weight / scale).round_ties_even() as i8;
                }
            }
        }
        Self { panels, scales, k }
    }

    /// The integers as an operand.
    pub(crate) fn operand(&self) -> Operand<'_> {
        Operand::packed(View::I8(&self.panels), self.k)
    }

    /// Factor of each column of a product with [`Quantized::operand`], `[n]`.
    pub(crate) fn scales(&self) -> &[f32] {
        &self.scales
    }
}

#[cfg(test)]
mod tests {
    use super::super::level::at_each_level;
    use super::super::{Out, Rows, gemm};
    use super::*;
    use crate::random::Random;

    #[test]
    fn products_are_those_of_weights_half_a_step_away() {
        let mut random = Random::new(8, 0);
        for (m, n, k) in [(1, 40, 64), (3, 96, 33), (8, 130, 128), (16, 32, 300)] {
            let mut weights: Vec<f32> = (0..n * k).map(|_| random.normal(0.3)).collect();
            weights[..k].fill(0.0);
            let x: Vec<f32> = (0..m * k).map(|_| random.normal(1.0)).collect();
            at_each_level(|level| {
                let rounded = Quantized::new(&Packed::from_columns(&weights, k, n));
                let mut y = vec![0.0; m * n];
                let a = Rows::new(&x, k);
                gemm([m, n, k], a, rounded.operand(), Out::set(&mut y, n));
                for (i, y) in y.iter().enumerate() {
                    let (x, w) = (&x[i / n * k..][..k], &weights[i % n * k..][..k]);
                    let scale = rounded.scales()[i % n];
                    let exact: f32 = x.iter().zip(w).map(|(x, w)| x * w).sum();
                    let most: f32 = x.iter().map(|x| x.abs() * scale * 0.5).sum();
                    let off = (y * scale - exact).abs();
                    assert!(off <= most + 1e-4, "{level:?} {m} {n} {k}: {off} {most}");
                    assert!(i % n != 0 || y * scale == 0.0);
                }
            });
        }
    }
}
