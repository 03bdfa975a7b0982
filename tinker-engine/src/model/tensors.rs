//! Where the tensors of a model come from.

use super::layout::Slot;
use crate::backend::BackendError;
use crate::kernels::Stored;

/// Where the tensors of a model come from, such as the files of a folder.
pub(crate) trait TensorSource: Sync {
    /// The numbers of a tensor, which must have the slot's shape, with rows of its last dimension.
    /// See [`stored`](super::tensor_file::stored).
    fn tensor(&self, slot: &Slot) -> Result<Stored<'_>, BackendError>;

    /// A tensor that has been read and will not be asked for again: a mapped file can let go of its pages.
    fn done(&self, _slot: &Slot) {}
}
