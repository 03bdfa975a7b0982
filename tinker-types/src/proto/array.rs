//! Arrays of numbers as raw little-endian bytes.

use std::sync::Arc;

use bytemuck::{AnyBitPattern, NoUninit};
use bytes::Bytes;

use crate::InvalidValue;

/// Lets `Bytes` keep an array of numbers alive instead of copying it.
struct Shared<T>(Arc<[T]>);

impl<T: NoUninit> AsRef<[u8]> for Shared<T> {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

/// The array's bytes, without a copy.
pub(super) fn share<T: NoUninit + Send + Sync>(array: &Arc<[T]>) -> Bytes {
    Bytes::from_owner(Shared(Arc::clone(array)))
}

/// The array's bytes, copied.
pub(super) fn copy<T: NoUninit>(array: &[T]) -> Bytes {
    Bytes::copy_from_slice(bytemuck::cast_slice(array))
}

/// The array that these bytes hold.
pub(super) fn read<T: AnyBitPattern + NoUninit>(bytes: &[u8]) -> Result<Vec<T>, InvalidValue> {
    if !bytes.len().is_multiple_of(size_of::<T>()) {
        let (have, size) = (bytes.len(), size_of::<T>());
        return Err(InvalidValue::new(
            "",
            format!("{have} bytes are no whole number of {size}-byte elements"),
        ));
    }
    Ok(bytemuck::allocation::pod_collect_to_vec(bytes))
}
