//! The right-hand side of a product, laid out for the kernel.

use super::element::Elements;
use super::gemm::Operand;
use super::level::Level;

/// Columns of one panel.
pub(crate) const PANEL: usize = 32;

/// A `[k, n]` matrix cut into panels of [`PANEL`] columns; inside a panel the rows follow each
/// other, so the kernel reads memory from front to back. The last panel is filled up with zeros.
#[derive(Debug, Clone, Default)]
pub(crate) struct Packed {
    panels: Elements,
    k: usize,
    n: usize,
}

impl Packed {
    /// Packs `b`, `[k, n]` with rows `stride` apart.
    pub(crate) fn from_rows(b: &[f32], k: usize, n: usize, stride: usize) -> Self {
        let mut packed = Self::default();
        packed.pack_rows(b, k, n, stride);
        packed
    }

    /// Packs the transpose of `w`, which is `[n, k]`: a weight as files store it.
    pub(crate) fn from_columns(w: &[f32], k: usize, n: usize) -> Self {
        let mut packed = Self::default();
        packed.pack_columns(w, k, n, k);
        packed
    }

    /// [`Packed::from_rows`] into memory that is already there.
    pub(crate) fn pack_rows(&mut self, b: &[f32], k: usize, n: usize, stride: usize) {
        let panels = self.reshape(k, n);
        for (panel, first) in panels
            .chunks_exact_mut(k.max(1) * PANEL)
            .zip((0..n).step_by(PANEL))
        {
            let width = PANEL.min(n - first);
            for (p, row) in panel.chunks_exact_mut(PANEL).enumerate() {
                let from = p * stride + first;
                if width == PANEL {
                    row.copy_from_slice(&b[from..from + PANEL]);
                } else {
                    row[..width].copy_from_slice(&b[from..from + width]);
                    row[width..].fill(0.0);
                }
            }
        }
    }

    /// Packs the transpose of `w`, `[n, k]` with rows `stride` apart, into memory that is there.
    pub(crate) fn pack_columns(&mut self, w: &[f32], k: usize, n: usize, stride: usize) {
        let panels = self.reshape(k, n);
        for (panel, first) in panels
            .chunks_exact_mut(k.max(1) * PANEL)
            .zip((0..n).step_by(PANEL))
        {
            for j in 0..PANEL {
                if first + j < n {
                    let from = (first + j) * stride;
                    for (p, value) in w[from..from + k].iter().enumerate() {
                        panel[p * PANEL + j] = *value;
                    }
                } else {
                    for row in panel.chunks_exact_mut(PANEL) {
                        row[j] = 0.0;
                    }
                }
            }
        }
    }

    fn reshape(&mut self, k: usize, n: usize) -> &mut [f32] {
        self.k = k;
        self.n = n;
        let len = n.div_ceil(PANEL) * k * PANEL;
        if !matches!(self.panels, Elements::F32(_)) {
            self.panels = Elements::default();
        }
        let Elements::F32(panels) = &mut self.panels else {
            return &mut [];
        };
        panels.resize(len, 0.0);
        panels
    }

    /// Multiplies all its values.
    pub(crate) fn scaled(mut self, by: f32) -> Self {
        if let Elements::F32(panels) = &mut self.panels {
            super::scale(panels, by);
        }
        self
    }

    /// Keeps the elements in half the memory if that changes none of them, as with weights that came
    /// from a half-precision file. Only where the processor widens them in one instruction.
    pub(crate) fn narrow(&mut self) {
        if Level::current() != Level::Portable {
            self.panels = std::mem::take(&mut self.panels).narrowed();
        }
    }

    /// Columns.
    pub(crate) fn columns(&self) -> usize {
        self.n
    }

    /// Rows, the length of each sum.
    pub(crate) fn depth(&self) -> usize {
        self.k
    }

    /// As the kernel wants it.
    pub(crate) fn operand(&self) -> Operand<'_> {
        Operand::packed(self.panels.view(), self.k)
    }
}
