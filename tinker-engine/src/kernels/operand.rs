//! Operands and output of a matrix product.

use super::element::View;

/// Columns of one panel of a right side.
pub(crate) const PANEL: usize = 32;

/// The left side: element `(i, p)` is at `i * row + p * step`. Swapping the two transposes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(super) data: &'a [f32],
    pub(super) row: usize,
    pub(super) step: usize,
}

impl<'a> Rows<'a> {
    /// Rows `stride` apart.
    pub(crate) fn new(data: &'a [f32], stride: usize) -> Self {
        Self {
            data,
            row: stride,
            step: 1,
        }
    }

    /// The transpose of a matrix whose rows are `stride` apart.
    pub(crate) fn transposed(data: &'a [f32], stride: usize) -> Self {
        Self {
            data,
            row: 1,
            step: stride,
        }
    }
}

/// The right side, `[k, n]`, in panels of [`PANEL`] columns; the last panel is padded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operand<'a> {
    pub(super) data: View<'a>,
    /// Elements from panel to panel.
    pub(super) panel: usize,
}

impl<'a> Operand<'a> {
    /// Panels that have room for `capacity` rows, of which `k` are filled.
    pub(crate) fn panels(data: &'a [f32], capacity: usize, k: usize) -> Self {
        assert!(k <= capacity, "panels have no room for these rows");
        Self {
            data: View::F32(data),
            panel: capacity * PANEL,
        }
    }

    /// Panels of `k` rows of any element type.
    pub(super) fn packed(data: View<'a>, k: usize) -> Self {
        Self {
            data,
            panel: k * PANEL,
        }
    }

    /// Elements that `k` rows of `n` columns reach.
    pub(super) fn needs(&self, k: usize, n: usize) -> usize {
        if k == 0 || n == 0 {
            return 0;
        }
        ((n - 1) / PANEL) * self.panel + k * PANEL
    }
}

/// The output, `[m, n]`.
#[derive(Debug)]
pub(crate) struct Out<'c> {
    pub(super) data: &'c mut [f32],
    pub(super) row: usize,
    pub(super) accumulate: bool,
}

impl<'c> Out<'c> {
    /// Rows `stride` apart; the product is added to them if `accumulate`, else it replaces them.
    pub(crate) fn new(data: &'c mut [f32], stride: usize, accumulate: bool) -> Self {
        Self {
            data,
            row: stride,
            accumulate,
        }
    }

    /// Rows `stride` apart, to be replaced.
    pub(crate) fn set(data: &'c mut [f32], stride: usize) -> Self {
        Self::new(data, stride, false)
    }

    /// Rows `stride` apart, to be added to.
    pub(crate) fn add(data: &'c mut [f32], stride: usize) -> Self {
        Self::new(data, stride, true)
    }
}
