//! What weights are kept as: f32, or half as wide where that loses nothing.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::lanes::Lanes;

/// A number that widens to f32 without rounding.
pub(super) trait Element: Copy + Default {
    /// Widens a register full.
    ///
    /// # Safety
    /// The processor has the instructions of `V`, and `V::N` elements are valid.
    unsafe fn load<V: Lanes>(from: *const Self) -> V;
}

impl Element for f32 {
    #[inline(always)]
    unsafe fn load<V: Lanes>(from: *const Self) -> V {
        // SAFETY: the caller keeps the contract.
        unsafe { V::load(from) }
    }
}

impl Element for f16 {
    #[inline(always)]
    unsafe fn load<V: Lanes>(from: *const Self) -> V {
        // SAFETY: the caller keeps the contract.
        unsafe { V::load_f16(from) }
    }
}

impl Element for bf16 {
    #[inline(always)]
    unsafe fn load<V: Lanes>(from: *const Self) -> V {
        // SAFETY: the caller keeps the contract.
        unsafe { V::load_bf16(from) }
    }
}

/// Elements of one of the types.
#[derive(Debug, Clone)]
pub(super) enum Elements {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
}

impl Default for Elements {
    fn default() -> Self {
        Self::F32(Vec::new())
    }
}

impl Elements {
    /// The narrowest type that holds every element exactly.
    pub(super) fn narrowed(self) -> Self {
        let Self::F32(wide) = self else { return self };
        if let Some(narrow) = exactly::<f16>(&wide) {
            return Self::F16(narrow);
        }
        match exactly::<bf16>(&wide) {
            Some(narrow) => Self::Bf16(narrow),
            None => Self::F32(wide),
        }
    }

    pub(super) fn view(&self) -> View<'_> {
        match self {
            Self::F32(x) => View::F32(x),
            Self::F16(x) => View::F16(x),
            Self::Bf16(x) => View::Bf16(x),
        }
    }
}

/// The numbers in half the width, unless one of them would change.
fn exactly<T: Copy + Default>(wide: &[f32]) -> Option<Vec<T>>
where
    [T]: HalfFloatSliceExt,
{
    let mut narrow = vec![T::default(); wide.len()];
    let mut again = [0.0; 1024];
    for (wide, narrow) in wide.chunks(again.len()).zip(narrow.chunks_mut(again.len())) {
        let again = &mut again[..wide.len()];
        narrow.convert_from_f32_slice(wide);
        narrow.convert_to_f32_slice(again);
        // Bits, as the sign of zero counts.
        if wide
            .iter()
            .zip(again)
            .any(|(x, y)| x.to_bits() != y.to_bits())
        {
            return None;
        }
    }
    Some(narrow)
}

/// Borrowed elements of one of the types.
#[derive(Debug, Clone, Copy)]
pub(super) enum View<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
    Bf16(&'a [bf16]),
}

impl View<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::F32(x) => x.len(),
            Self::F16(x) => x.len(),
            Self::Bf16(x) => x.len(),
        }
    }
}
