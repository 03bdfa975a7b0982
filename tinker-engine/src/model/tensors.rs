//! Tensor source: the interface through which a model's tensors are read.

use super::layout::Slot;
use crate::backend::BackendError;
use crate::kernels::Stored;

/// Source of a model's tensors, such as the files of a folder.
pub(crate) trait TensorSource: Sync {
    /// The numbers of a tensor, which must have the slot's shape, in rows of its last dimension.
    fn tensor(&self, slot: &Slot) -> Result<Stored<'_>, BackendError>;

    /// Releases a tensor that will not be read again, so that a mapped file can drop its pages.
    fn release(&self, _slot: &Slot) {}
}
