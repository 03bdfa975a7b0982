//! Size of a run.

/// Size of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Training steps.
    pub(crate) steps: usize,
    /// Steps between two samplers.
    pub(crate) refresh: usize,
    /// Total number of samples, the same from each sampler.
    pub(crate) samples: usize,
    /// Samples in flight.
    pub(crate) in_flight: usize,
    /// Seed of the faults.
    pub(crate) seed: u64,
}

impl Size {
    /// The size for `cargo test`; takes a few seconds.
    pub(crate) const SMALL: Self = Self {
        steps: 12,
        refresh: 4,
        samples: 300,
        in_flight: 100,
        seed: 20_261,
    };

    /// The size for `cargo xtask fault-run`.
    pub(crate) const FULL: Self = Self {
        steps: 200,
        refresh: 20,
        samples: 20_000,
        in_flight: 2_000,
        seed: 20_261,
    };

    /// The size for `cargo xtask fault-run --tenants`.
    pub(crate) const TENANT: Self = Self {
        steps: 20,
        refresh: 4,
        samples: 5_000,
        in_flight: 2_000,
        seed: 0,
    };

    /// Number of samplers.
    pub(crate) fn samplers(self) -> usize {
        self.steps.div_ceil(self.refresh)
    }
}
