//! The built-in model with counters of its operations.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tinker_local::CpuBackend;
use tinker_local::backend::{
    AdamStep, AdapterId, AdapterSpec, AdapterState, Backend, BackendError, BaseModelInfo, JobId,
    SampleJob, SampleOutput, SamplingWeights, TrainBatch, TrainOutput,
};

/// Operations that a model executed.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    passes: AtomicUsize,
    steps: AtomicUsize,
    jobs: AtomicUsize,
}

impl Counts {
    /// Forward-backward passes.
    pub(crate) fn passes(&self) -> usize {
        self.passes.load(Ordering::SeqCst)
    }

    /// Optimizer steps.
    pub(crate) fn steps(&self) -> usize {
        self.steps.load(Ordering::SeqCst)
    }

    /// Samples drawn.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs.load(Ordering::SeqCst)
    }
}

/// The built-in model and its counters.
pub(crate) struct Counted {
    model: CpuBackend,
    counts: Arc<Counts>,
}

impl Counted {
    pub(crate) fn builtin() -> Result<(Self, Arc<Counts>), BackendError> {
        let counts = Arc::new(Counts::default());
        let counted = Self {
            model: CpuBackend::builtin()?,
            counts: Arc::clone(&counts),
        };
        Ok((counted, counts))
    }
}

type Ended = Vec<(JobId, Result<SampleOutput, BackendError>)>;

impl Backend for Counted {
    fn train(
        &mut self,
        adapter: AdapterId,
        batch: &TrainBatch,
    ) -> Result<TrainOutput, BackendError> {
        if !batch.forward_only {
            self.counts.passes.fetch_add(1, Ordering::SeqCst);
        }
        self.model.train(adapter, batch)
    }

    fn step(
        &mut self,
        adapter: AdapterId,
        constants: &AdamStep,
    ) -> Result<Vec<(String, f64)>, BackendError> {
        self.counts.steps.fetch_add(1, Ordering::SeqCst);
        self.model.step(adapter, constants)
    }

    fn submit(&mut self, job: SampleJob) -> Result<JobId, BackendError> {
        self.counts.jobs.fetch_add(1, Ordering::SeqCst);
        self.model.submit(job)
    }

    fn model(&self) -> &BaseModelInfo {
        self.model.model()
    }

    fn create(&mut self, spec: &AdapterSpec) -> Result<AdapterId, BackendError> {
        self.model.create(spec)
    }

    fn remove(&mut self, adapter: AdapterId) {
        self.model.remove(adapter);
    }

    fn export(
        &self,
        adapter: AdapterId,
        with_optimizer: bool,
    ) -> Result<AdapterState, BackendError> {
        self.model.export(adapter, with_optimizer)
    }

    fn import(&mut self, state: &AdapterState) -> Result<AdapterId, BackendError> {
        self.model.import(state)
    }

    fn snapshot(&self, adapter: AdapterId) -> Result<SamplingWeights, BackendError> {
        self.model.snapshot(adapter)
    }

    fn restore(&self, state: &AdapterState) -> Result<SamplingWeights, BackendError> {
        self.model.restore(state)
    }
    fn read_weights(&self, from: &mut dyn std::io::Read) -> Result<SamplingWeights, BackendError> {
        self.model.read_weights(from)
    }

    fn cancel(&mut self, job: JobId) {
        self.model.cancel(job);
    }

    fn advance(&mut self) -> Ended {
        self.model.advance()
    }

    fn live_jobs(&self) -> usize {
        self.model.live_jobs()
    }
}
