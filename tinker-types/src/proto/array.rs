//! Arrays of numbers as raw little-endian bytes.

use std::sync::Arc;

use bytemuck::{AnyBitPattern, NoUninit};
use bytes::Bytes;

use crate::InvalidValue;

/// Owner of an array whose bytes are lent to `Bytes` without a copy.
struct Shared<T>(Arc<[T]>);

impl<T: NoUninit> AsRef<[u8]> for Shared<T> {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

/// Bytes of the array, without a copy.
pub(super) fn share<T: NoUninit + Send + Sync>(array: &Arc<[T]>) -> Bytes {
    Bytes::from_owner(Shared(Arc::clone(array)))
}

/// Bytes of the array, copied.
pub(super) fn copy<T: NoUninit>(array: &[T]) -> Bytes {
    Bytes::copy_from_slice(bytemuck::cast_slice(array))
}

/// Bytes of a vector, without a copy.
pub(super) fn lend<T: NoUninit + Send>(values: Vec<T>) -> Bytes {
    struct Owned<T>(Vec<T>);
    impl<T: NoUninit> AsRef<[u8]> for Owned<T> {
        fn as_ref(&self) -> &[u8] {
            bytemuck::cast_slice(&self.0)
        }
    }
    Bytes::from_owner(Owned(values))
}

/// Refuses bytes that are no whole number of elements.
pub(super) fn check_length<T>(bytes: &[u8]) -> Result<(), InvalidValue> {
    let (have, size) = (bytes.len(), size_of::<T>());
    if have.is_multiple_of(size) {
        return Ok(());
    }
    Err(InvalidValue::new(
        "",
        format!("{have} bytes are not a multiple of {size}-byte elements"),
    ))
}

/// Array with these bytes, copied once.
pub(super) fn read<T, C>(bytes: &[u8]) -> Result<C, InvalidValue>
where
    T: AnyBitPattern + NoUninit,
    C: for<'a> From<&'a [T]> + FromIterator<T>,
{
    check_length::<T>(bytes)?;
    Ok(match bytemuck::try_cast_slice::<u8, T>(bytes) {
        Ok(aligned) => C::from(aligned),
        Err(_) => bytes
            .chunks_exact(size_of::<T>())
            .map(bytemuck::pod_read_unaligned::<T>)
            .collect(),
    })
}
