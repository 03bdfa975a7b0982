//! The checkpoint from which a model can be made again.

use tinker_types::CheckpointPath;

use super::options::load::LoadOptions;

/// The last training checkpoint of a model: saved by its client, or the one that it was loaded from.
#[derive(Debug, Clone)]
pub(crate) struct Restore {
    pub(crate) options: LoadOptions,
    pub(crate) with_optimizer: bool,
}

impl Restore {
    /// A checkpoint that was saved with its optimizer state.
    pub(super) fn saved(path: &CheckpointPath) -> Self {
        Self {
            options: LoadOptions::from(path),
            with_optimizer: true,
        }
    }

    pub(crate) fn path(&self) -> Option<CheckpointPath> {
        self.options.path.parse().ok()
    }
}
