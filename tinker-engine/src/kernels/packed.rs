//! Packed matrices: the right side of a product, laid out for the kernel.

use half::{bf16, f16};

use super::element::{Elements, InFile};
use super::level::Level;
use super::operand::{Operand, PANEL};
use super::stored::Stored;

/// A `[k, n]` matrix in panels of [`PANEL`] columns; within a panel the rows are consecutive, so the kernel reads memory
/// from front to back. The last panel is padded with zeros.
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

    /// Packs a weight from a file, given as consecutive parts with rows of `width` numbers: `[n, width]` in the file. With
    /// `across` its transpose is packed, `[width, n]`, which `x W^T` takes. Numbers that are bf16 or f16 in the file stay so
    /// here.
    pub(crate) fn from_stored(parts: &[Stored<'_>], width: usize, across: bool) -> Self {
        let mut panels = Elements::for_kinds(parts.iter().map(|part| part.kind));
        let (rows, columns) = match &mut panels {
            Elements::F32(panels) => fill(panels, parts, width, across),
            Elements::F16(panels) => fill(panels, parts, width, across),
            Elements::Bf16(panels) => fill(panels, parts, width, across),
        };
        let mut packed = Self {
            panels,
            k: rows,
            n: columns,
        };
        packed.narrow();
        packed
    }

    /// [`Packed::from_rows`] into the memory of this matrix.
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

    /// Packs the transpose of `w`, `[n, k]` with rows `stride` apart, into the memory of this matrix.
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

    /// Row `p`, widened.
    ///
    /// # Panics
    /// The row does not exist, or `into` is shorter than a row.
    pub(crate) fn copy_row(&self, p: usize, into: &mut [f32]) {
        assert!(p < self.k, "a packed matrix has fewer rows");
        for (panel, into) in into[..self.n].chunks_mut(PANEL).enumerate() {
            let from = (panel * self.k + p) * PANEL;
            let at = from..from + into.len();
            match &self.panels {
                Elements::F32(x) => f32::widen(&x[at], into),
                Elements::F16(x) => f16::widen(&x[at], into),
                Elements::Bf16(x) => bf16::widen(&x[at], into),
            }
        }
    }

    /// Multiplies all values by a number.
    pub(crate) fn scaled(mut self, by: f32) -> Self {
        if let Elements::F32(panels) = &mut self.panels {
            super::scale(panels, by);
        }
        self
    }

    /// Stores the elements in half the memory if that changes none of them, as with weights of a half-precision file. Only
    /// where the processor widens them in one instruction.
    pub(crate) fn narrow(&mut self) {
        if Level::current() != Level::Portable {
            self.panels = std::mem::take(&mut self.panels).narrowed();
        }
    }

    /// Its numbers as they are stored. Empty for a matrix of half precision.
    pub(crate) fn floats(&self) -> &[f32] {
        match &self.panels {
            Elements::F32(panels) => panels,
            Elements::F16(_) | Elements::Bf16(_) => &[],
        }
    }

    /// A `[k, n]` matrix of its stored numbers; `None` if that is not how many it has.
    pub(crate) fn from_floats(panels: Vec<f32>, k: usize, n: usize) -> Option<Self> {
        let len = n.div_ceil(PANEL).checked_mul(k)?.checked_mul(PANEL)?;
        (panels.len() == len).then_some(Self {
            panels: Elements::F32(panels),
            k,
            n,
        })
    }

    /// Number of columns.
    pub(crate) fn columns(&self) -> usize {
        self.n
    }

    /// Number of rows, the length of each sum.
    pub(crate) fn depth(&self) -> usize {
        self.k
    }

    /// The matrix as an operand.
    pub(crate) fn operand(&self) -> Operand<'_> {
        Operand::packed(self.panels.view(), self.k)
    }
}

/// Fills panels from the parts of a stored matrix, and returns the packed matrix's rows and columns.
fn fill<T: InFile>(
    panels: &mut Vec<T>,
    parts: &[Stored<'_>],
    width: usize,
    across: bool,
) -> (usize, usize) {
    let rows = parts
        .iter()
        .flat_map(|part| part.rows().map(|row| (part.kind, row)));
    let count = rows.clone().count();
    let (k, n) = if across {
        (width, count)
    } else {
        (count, width)
    };
    let size = k * PANEL;
    panels.resize(n.div_ceil(PANEL) * size, T::default());
    if !across {
        let mut wide = vec![T::default(); width];
        for (p, (kind, bytes)) in rows.enumerate() {
            T::read(kind, bytes, &mut wide);
            for (panel, from) in panels.chunks_exact_mut(size.max(1)).zip(wide.chunks(PANEL)) {
                panel[p * PANEL..][..from.len()].copy_from_slice(from);
            }
        }
        return (k, n);
    }
    // Sixteen numbers of each row of a panel at a time: at most a cache line of every row.
    let mut rows = rows;
    let mut wide = vec![T::default(); size];
    for panel in panels.chunks_exact_mut(size.max(1)) {
        let mut filled = 0;
        for (row, (kind, bytes)) in wide.chunks_exact_mut(k).zip(&mut rows) {
            T::read(kind, bytes, row);
            filled += 1;
        }
        for (b, block) in panel.chunks_mut(16 * PANEL).enumerate() {
            for (j, row) in wide.chunks_exact(k).take(filled).enumerate() {
                for (p, value) in row[b * 16..].iter().take(16).enumerate() {
                    if let Some(to) = block.get_mut(p * PANEL + j) {
                        *to = *value;
                    }
                }
            }
        }
    }
    (k, n)
}
