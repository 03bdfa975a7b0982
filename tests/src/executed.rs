//! The built-in model, which tells what it executes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tinker_local::CpuBackend;
use tinker_local::backend::{
    AdamStep, AdapterId, AdapterSpec, AdapterState, Backend, BackendError, BaseModelInfo, JobId,
    SampleJob, SampleOutput, SamplingWeights, TrainBatch, TrainOutput,
};

/// An operation of an engine, told before it begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Executed {
    /// A forward-backward pass.
    Pass,
    /// An optimizer step.
    Step {
        /// Its learning rate.
        learning_rate: f64,
    },
    /// A sample.
    Sample {
        /// Its seed.
        seed: Option<u64>,
    },
}

/// Operations that a model executed.
#[derive(Debug, Default)]
pub struct Counts {
    passes: AtomicUsize,
    steps: AtomicUsize,
    jobs: AtomicUsize,
}

impl Counts {
    /// Forward-backward passes.
    pub fn passes(&self) -> usize {
        self.passes.load(Ordering::SeqCst)
    }

    /// Optimizer steps.
    pub fn steps(&self) -> usize {
        self.steps.load(Ordering::SeqCst)
    }

    /// Samples drawn.
    pub fn jobs(&self) -> usize {
        self.jobs.load(Ordering::SeqCst)
    }

    fn add(&self, executed: Executed) {
        let count = match executed {
            Executed::Pass => &self.passes,
            Executed::Step { .. } => &self.steps,
            Executed::Sample { .. } => &self.jobs,
        };
        count.fetch_add(1, Ordering::SeqCst);
    }
}

/// The built-in model and the receiver of its operations.
pub struct Told {
    model: CpuBackend,
    tell: Box<dyn Fn(Executed) + Send>,
}

impl Told {
    /// Tells `tell`.
    ///
    /// # Errors
    /// If the built-in model cannot be read.
    pub fn builtin(tell: impl Fn(Executed) + Send + 'static) -> Result<Self, BackendError> {
        Ok(Self {
            model: CpuBackend::builtin()?,
            tell: Box::new(tell),
        })
    }

    /// Counts.
    ///
    /// # Errors
    /// If the built-in model cannot be read.
    pub fn counted() -> Result<(Self, Arc<Counts>), BackendError> {
        let counts = Arc::new(Counts::default());
        let counter = Arc::clone(&counts);
        let model = Self::builtin(move |executed| counter.add(executed))?;
        Ok((model, counts))
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Told").finish_non_exhaustive()
    }
}

type Ended = Vec<(JobId, Result<SampleOutput, BackendError>)>;

impl Backend for Told {
    fn train(
        &mut self,
        adapter: AdapterId,
        batch: &TrainBatch,
    ) -> Result<TrainOutput, BackendError> {
        if !batch.forward_only {
            (self.tell)(Executed::Pass);
        }
        self.model.train(adapter, batch)
    }

    fn step(
        &mut self,
        adapter: AdapterId,
        constants: &AdamStep,
    ) -> Result<Vec<(String, f64)>, BackendError> {
        let learning_rate = constants.learning_rate;
        (self.tell)(Executed::Step { learning_rate });
        self.model.step(adapter, constants)
    }

    fn submit(&mut self, job: SampleJob) -> Result<JobId, BackendError> {
        (self.tell)(Executed::Sample { seed: job.seed });
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
