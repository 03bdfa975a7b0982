//! Arrays that are read where they arrived.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;

use super::array;
use crate::InvalidValue;

/// A number in an [`ArrayView`]: a token or a log probability.
pub trait ArrayElement: sealed::Plain + Copy + PartialEq + fmt::Debug + Send + 'static {}

impl ArrayElement for u32 {}
impl ArrayElement for f32 {}

mod sealed {
    /// A number whose bytes are those of an array.
    pub trait Plain: bytemuck::AnyBitPattern + bytemuck::NoUninit {}

    impl Plain for u32 {}
    impl Plain for f32 {}
}

/// An array of numbers that is read where it arrived, without a copy: the bytes of an answer, little-endian.
///
/// [`iter`](Self::iter) reads the values from wherever they are. [`as_slice`](Self::as_slice) gives them as a slice if
/// their place is a multiple of their size, which depends on what precedes them in the answer. [`to_vec`](Self::to_vec)
/// copies them.
///
/// A clone shares the bytes. The memory of the whole answer is kept as long as one of its arrays is.
///
/// ```
/// # fn main() -> Result<(), tinker_types::InvalidValue> {
/// use tinker_types::{SampleResponse, SampledSequence, StopReason, proto};
///
/// let sequence = SampledSequence::new(StopReason::Stop, vec![7, 8, 9]);
/// let body = proto::encode_sample(&SampleResponse::new(vec![sequence]));
///
/// let view = proto::view_sample(body)?;
/// let tokens = &view.sequences[0].tokens;
/// assert_eq!((tokens.len(), tokens.get(2)), (3, Some(9)));
/// assert_eq!(tokens.iter().sum::<u32>(), 24);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ArrayView<T> {
    bytes: Bytes,
    values: PhantomData<fn() -> T>,
}

impl<T: ArrayElement> ArrayView<T> {
    /// The array with these bytes.
    ///
    /// # Errors
    /// The number of bytes is not a multiple of the size of a value.
    pub(super) fn new(bytes: Bytes) -> Result<Self, InvalidValue> {
        array::check_length::<T>(&bytes)?;
        Ok(Self {
            bytes,
            values: PhantomData,
        })
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.bytes.len() / size_of::<T>()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The value at an index; `None` behind the end.
    pub fn get(&self, index: usize) -> Option<T> {
        let from = index.checked_mul(size_of::<T>())?;
        let bytes = self.bytes.get(from..from.checked_add(size_of::<T>())?)?;
        Some(bytemuck::pod_read_unaligned(bytes))
    }

    /// The values, read one by one where they are. The loop over them compiles to vector instructions.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = T> + DoubleEndedIterator + '_ {
        self.bytes
            .chunks_exact(size_of::<T>())
            .map(bytemuck::pod_read_unaligned)
    }

    /// The values as a slice, if their place in memory is a multiple of their size.
    pub fn as_slice(&self) -> Option<&[T]> {
        bytemuck::try_cast_slice(&self.bytes).ok()
    }

    /// The values, copied.
    pub fn to_vec(&self) -> Vec<T> {
        match self.as_slice() {
            Some(values) => values.to_vec(),
            None => self.iter().collect(),
        }
    }
}

impl<T> Default for ArrayView<T> {
    /// No values.
    fn default() -> Self {
        Self {
            bytes: Bytes::new(),
            values: PhantomData,
        }
    }
}

impl<T: ArrayElement> From<Vec<T>> for ArrayView<T> {
    /// The values of a vector, not copied.
    fn from(values: Vec<T>) -> Self {
        Self {
            bytes: array::lend(values),
            values: PhantomData,
        }
    }
}

impl<T: ArrayElement> PartialEq for ArrayView<T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<T: ArrayElement> fmt::Debug for ArrayView<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_from_any_place() {
        let values = [3_u32, 0, u32::MAX, 7];
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let mut aligned = 0;
        for offset in 0..4 {
            let mut shifted = vec![9; offset];
            shifted.extend(&bytes);
            let view = ArrayView::<u32>::new(Bytes::from(shifted).slice(offset..)).unwrap();
            assert_eq!((view.len(), view.to_vec()), (4, values.to_vec()));
            assert_eq!((view.get(2), view.get(4)), (Some(u32::MAX), None));
            assert_eq!(view.get(usize::MAX), None);
            assert!(view.iter().rev().eq([7, u32::MAX, 0, 3]));
            if let Some(slice) = view.as_slice() {
                assert_eq!(slice, values);
                aligned += 1;
            }
            assert_eq!(view, ArrayView::from(values.to_vec()));
            assert_eq!(format!("{view:?}"), "[3, 0, 4294967295, 7]");
        }
        assert_eq!(aligned, 1, "one of four places is a multiple of four");
    }

    #[test]
    fn a_vector_is_not_copied() {
        let values = vec![0.5_f32, -1.0];
        let place = values.as_ptr();
        let view = ArrayView::from(values);
        assert_eq!(view.as_slice().unwrap().as_ptr(), place);
        assert!(ArrayView::<f32>::default().is_empty());
    }

    #[test]
    fn half_a_value_is_an_error() {
        let error = ArrayView::<f32>::new(Bytes::from_static(&[0; 6])).unwrap_err();
        assert!(error.to_string().contains("6 bytes"), "{error}");
    }
}
