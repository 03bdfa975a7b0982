//! Element types of packed weights: f32, or f16 and bf16 where that is exact.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::lanes::Lanes;
use super::level::Level;
use super::stored::{Kind, widen};

/// An element type that files store.
pub(super) trait InFile: Element + Default {
    /// Reads stored numbers. All types except f32 read only their own kind.
    fn read(kind: Kind, bytes: &[u8], into: &mut [Self]);
    /// Widens numbers one by one.
    fn widen(from: &[Self], into: &mut [f32]);
}

/// An element type that widens to f32 without rounding.
pub(super) trait Element: Copy {
    /// Widens a register of elements.
    ///
    /// # Safety
    /// The processor has the instructions of `V`, and `V::N` elements are valid.
    unsafe fn load<V: Lanes>(from: *const Self) -> V;
}

impl InFile for f32 {
    fn read(kind: Kind, bytes: &[u8], into: &mut [Self]) {
        widen(kind, bytes, into);
    }

    fn widen(from: &[Self], into: &mut [f32]) {
        into.copy_from_slice(from);
    }
}

impl Element for f32 {
    #[inline(always)]
    unsafe fn load<V: Lanes>(from: *const Self) -> V {
        // SAFETY: the caller keeps the contract.
        unsafe { V::load(from) }
    }
}

impl InFile for f16 {
    fn read(kind: Kind, bytes: &[u8], into: &mut [Self]) {
        assert_eq!(kind, Kind::F16);
        for (x, b) in into.iter_mut().zip(bytes.as_chunks::<2>().0) {
            *x = Self::from_le_bytes(*b);
        }
    }

    fn widen(from: &[Self], into: &mut [f32]) {
        from.convert_to_f32_slice(into);
    }
}

impl Element for f16 {
    #[inline(always)]
    unsafe fn load<V: Lanes>(from: *const Self) -> V {
        // SAFETY: the caller keeps the contract.
        unsafe { V::load_f16(from) }
    }
}

impl InFile for bf16 {
    fn read(kind: Kind, bytes: &[u8], into: &mut [Self]) {
        assert_eq!(kind, Kind::Bf16);
        for (x, b) in into.iter_mut().zip(bytes.as_chunks::<2>().0) {
            *x = Self::from_le_bytes(*b);
        }
    }

    fn widen(from: &[Self], into: &mut [f32]) {
        from.convert_to_f32_slice(into);
    }
}

impl Element for bf16 {
    #[inline(always)]
    unsafe fn load<V: Lanes>(from: *const Self) -> V {
        // SAFETY: the caller keeps the contract.
        unsafe { V::load_bf16(from) }
    }
}

impl Element for i8 {
    #[inline(always)]
    unsafe fn load<V: Lanes>(from: *const Self) -> V {
        // SAFETY: the caller keeps the contract.
        unsafe { V::load_i8(from) }
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
    /// No elements, of the type that stores numbers of these kinds: their own if all have the same and the processor widens
    /// it fast enough to compute with.
    pub(super) fn for_kinds(kinds: impl IntoIterator<Item = Kind>) -> Self {
        let mut kinds = kinds.into_iter();
        let first = kinds.next().unwrap_or(Kind::F32);
        match first {
            _ if kinds.any(|kind| kind != first) => Self::default(),
            Kind::F16 if Level::current() != Level::Portable => Self::F16(Vec::new()),
            Kind::Bf16 => Self::Bf16(Vec::new()),
            Kind::F32 | Kind::F16 => Self::default(),
        }
    }

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
        // Compares bits, as the sign of zero matters.
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
    I8(&'a [i8]),
}

impl View<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::F32(x) => x.len(),
            Self::F16(x) => x.len(),
            Self::Bf16(x) => x.len(),
            Self::I8(x) => x.len(),
        }
    }
}
