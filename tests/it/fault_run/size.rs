//! How large a run is.

/// How large a run is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Training steps.
    pub(crate) steps: usize,
    /// A sampler is made from the weights before each step whose number this divides.
    pub(crate) refresh: usize,
    /// Samples in all, the same number from each sampler.
    pub(crate) samples: usize,
    /// Samples waited for at the same time.
    pub(crate) in_flight: usize,
    /// The seed of the faults.
    pub(crate) seed: u64,
}

impl Size {
    /// For every test run: some seconds.
    pub(crate) const SMALL: Self = Self {
        steps: 12,
        refresh: 4,
        samples: 300,
        in_flight: 100,
        seed: 20_261,
    };

    /// For `cargo xtask fault-run`.
    pub(crate) const FULL: Self = Self {
        steps: 200,
        refresh: 20,
        samples: 20_000,
        in_flight: 2_000,
        seed: 20_261,
    };

    /// For `cargo xtask fault-run --tenants`.
    pub(crate) const TENANT: Self = Self {
        steps: 20,
        refresh: 4,
        samples: 5_000,
        in_flight: 2_000,
        seed: 0,
    };

    /// Samplers made.
    pub(crate) fn samplers(self) -> usize {
        self.steps.div_ceil(self.refresh)
    }
}
