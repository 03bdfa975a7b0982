//! Product tile, the innermost loop of every product: `MR` rows and `NV` registers of columns.

use super::element::Element;
use super::lanes::Lanes;
use super::operand::PANEL;

/// Prefetch distance of the right side: 80 rows. Measured: it costs nothing within the caches, and products of few rows
/// that stream weights from memory gain a third.
const AHEAD: usize = 80 * PANEL;

/// Where a tile reads and writes. Strides count floats.
#[derive(Clone, Copy)]
pub(super) struct Tile<E, const NV: usize> {
    /// Length of each sum.
    pub(super) k: usize,
    /// First element of the first row of the left side.
    pub(super) a: *const f32,
    /// Stride between rows of the left side.
    pub(super) a_row: usize,
    /// Stride between elements of a row of the left side.
    pub(super) a_step: usize,
    /// First row of each register of columns of the right side.
    pub(super) b: [*const E; NV],
    /// First output.
    pub(super) c: *mut f32,
    /// Stride between rows of the output.
    pub(super) c_row: usize,
    /// Number of columns of the last register that exist.
    pub(super) last: usize,
    /// Start from the output's values instead of zero.
    pub(super) accumulate: bool,
}

/// Computes one tile. Each output is summed from the first product to the last with one
/// accumulator, whatever `MR` and `NV` are.
///
/// # Safety
/// The processor has the instructions of `V`; the pointers are valid for `MR` rows, `k` steps and
/// `NV` registers, except that the last register's output has only `last` columns.
#[inline(always)]
pub(super) unsafe fn tile<V: Lanes, E: Element, const MR: usize, const NV: usize>(t: Tile<E, NV>) {
    // SAFETY: every address below lies in the ranges of the contract.
    unsafe {
        let mut acc = [[V::zero(); NV]; MR];
        if t.accumulate {
            for (i, row) in acc.iter_mut().enumerate() {
                for (v, register) in row.iter_mut().enumerate() {
                    let left = if v + 1 == NV { t.last } else { V::N };
                    *register = V::load_upto(t.c.add(i * t.c_row + v * V::N), left);
                }
            }
        }
        // One base pointer for three rows: base, base + stride and base + 2 strides are addressing modes of x86, and 12
        // rows need 4 registers.
        let mut bases = [t.a; 4];
        for (g, base) in bases.iter_mut().enumerate() {
            if g * 3 < MR {
                *base = t.a.add(g * 3 * t.a_row);
            }
        }
        let offsets = [0, t.a_row, 2 * t.a_row];
        let mut b = t.b;
        for _ in 0..t.k {
            let mut columns = [V::zero(); NV];
            for (v, register) in columns.iter_mut().enumerate() {
                *register = E::load(b[v]);
                V::prefetch(b[v].wrapping_add(AHEAD));
            }
            for i in 0..MR {
                let x = V::splat_from(bases[i / 3].wrapping_add(offsets[i % 3]));
                for v in 0..NV {
                    acc[i][v] = x.fma(columns[v], acc[i][v]);
                }
            }
            for base in bases.iter_mut().take(MR.div_ceil(3)) {
                *base = base.wrapping_add(t.a_step);
            }
            for register in &mut b {
                *register = register.wrapping_add(PANEL);
            }
        }
        for (i, row) in acc.iter().enumerate() {
            for (v, register) in row.iter().enumerate() {
                let left = if v + 1 == NV { t.last } else { V::N };
                register.store_upto(t.c.add(i * t.c_row + v * V::N), left);
            }
        }
    }
}
