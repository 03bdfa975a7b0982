//! Division of GPUs between copies of a model.

use crate::exit::Usage;

/// GPUs of a server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// GPUs of each machine.
    pub(super) gpus: u16,
    /// Number of machines.
    pub(super) nodes: u16,
    /// GPUs that share one copy of the model for sampling.
    pub(super) tensor_parallel: u16,
}

impl Layout {
    /// GPUs in all.
    pub(super) fn total(self) -> u32 {
        u32::from(self.gpus) * u32::from(self.nodes)
    }

    /// Number of copies for sampling on this many GPUs of each machine.
    pub(super) fn copies(self, gpus: u16) -> Result<u32, Usage> {
        if gpus.is_multiple_of(self.tensor_parallel) {
            return Ok(u32::from(gpus / self.tensor_parallel) * u32::from(self.nodes));
        }
        Err(Usage(format!(
            "--tensor-parallel {} does not divide the {gpus} GPUs of a machine that sample",
            self.tensor_parallel
        )))
    }
}
