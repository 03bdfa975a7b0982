//! The real engine, with hooks that run before it does something.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tinker_engine::backend::{
    AdamStep, AdapterId, AdapterSpec, AdapterState, Backend, BackendError, BaseModelInfo, JobId,
    SampleJob, SampleOutput, SampledTokens, SamplingWeights, TrainBatch, TrainOutput,
};

use tinker_local::LocalEngine;

use crate::support::backend;

pub(crate) struct Hooked {
    inner: Box<dyn Backend>,
    /// Runs before each batch.
    pub(crate) train: Box<dyn FnMut(&TrainBatch) + Send>,
    /// Runs before each sample is accepted.
    pub(crate) submit: Box<dyn FnMut(&SampleJob) + Send>,
    /// Runs before each step of sampling.
    pub(crate) advance: Box<dyn FnMut() + Send>,
}

impl Hooked {
    pub(crate) fn new() -> Self {
        Self {
            inner: backend(),
            train: Box::new(|_| {}),
            submit: Box::new(|_| {}),
            advance: Box::new(|| {}),
        }
    }
}

/// How many more steps a held engine may take: a prompt is one, then each token.
#[derive(Clone)]
pub(crate) struct Allowed(Arc<AtomicUsize>);

impl Allowed {
    pub(crate) fn set(&self, steps: usize) {
        self.0.store(steps, Ordering::Release);
    }

    fn take(&self) {
        let one_less = |steps: usize| steps.checked_sub(1);
        while self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less)
            .is_err()
        {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// An engine that samples nothing before it is allowed to.
pub(crate) fn held() -> (LocalEngine, Allowed) {
    let allowed = Allowed(Arc::new(AtomicUsize::new(0)));
    let mut held = Hooked::new();
    let gate = allowed.clone();
    held.advance = Box::new(move || gate.take());
    let engine = LocalEngine::builder().backend(Box::new(held)).build();
    (engine.unwrap(), allowed)
}

impl Backend for Hooked {
    fn model(&self) -> &BaseModelInfo {
        self.inner.model()
    }
    fn create(&mut self, spec: &AdapterSpec) -> Result<AdapterId, BackendError> {
        self.inner.create(spec)
    }
    fn remove(&mut self, adapter: AdapterId) {
        self.inner.remove(adapter);
    }
    fn train(
        &mut self,
        adapter: AdapterId,
        batch: &TrainBatch,
    ) -> Result<TrainOutput, BackendError> {
        (self.train)(batch);
        self.inner.train(adapter, batch)
    }
    fn step(
        &mut self,
        adapter: AdapterId,
        constants: &AdamStep,
    ) -> Result<Vec<(String, f64)>, BackendError> {
        self.inner.step(adapter, constants)
    }
    fn export(
        &self,
        adapter: AdapterId,
        with_optimizer: bool,
    ) -> Result<AdapterState, BackendError> {
        self.inner.export(adapter, with_optimizer)
    }
    fn import(&mut self, state: &AdapterState) -> Result<AdapterId, BackendError> {
        self.inner.import(state)
    }
    fn snapshot(&self, adapter: AdapterId) -> Result<SamplingWeights, BackendError> {
        self.inner.snapshot(adapter)
    }
    fn restore(&self, state: &AdapterState) -> Result<SamplingWeights, BackendError> {
        self.inner.restore(state)
    }
    fn read_weights(&self, from: &mut dyn std::io::Read) -> Result<SamplingWeights, BackendError> {
        self.inner.read_weights(from)
    }
    fn submit(&mut self, job: SampleJob) -> Result<JobId, BackendError> {
        (self.submit)(&job);
        self.inner.submit(job)
    }
    fn cancel(&mut self, job: JobId) {
        self.inner.cancel(job);
    }
    fn advance(&mut self) -> Vec<(JobId, Result<SampleOutput, BackendError>)> {
        (self.advance)();
        self.inner.advance()
    }
    fn live_jobs(&self) -> usize {
        self.inner.live_jobs()
    }
    fn peek(&self, job: JobId, see: &mut dyn FnMut(usize, &SampledTokens, bool)) {
        self.inner.peek(job, see);
    }
}
