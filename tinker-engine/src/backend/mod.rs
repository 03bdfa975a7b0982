//! Interface of an engine: a small trait and the plain batches that cross it.
//!
//! A backend is owned by one worker thread, which calls it with one request at a time; it may use as many threads as it
//! likes inside a call. Every method checks its input before it changes any state: a refused request leaves weights,
//! gradients and caches exactly as they were.

mod adapter;
mod error;
mod model_info;
mod sampling;
mod training;

pub use adapter::{AdamStep, AdapterId, AdapterSpec, AdapterState, NamedTensor, OptimizerState};
pub use error::{BackendError, Fault};
pub use model_info::ModelInfo;
pub use sampling::{
    Frozen, JobId, SampleJob, SampleOutput, SampleWeights, SampledTokens, StopRule,
};
pub use training::{LossKind, TrainBatch, TrainDatum, TrainOutput};

/// A model that trains adapters and samples from them.
pub trait Backend: Send {
    /// What it serves.
    fn model(&self) -> &ModelInfo;

    /// Makes a fresh adapter; its first output equals the base model's.
    fn create(&mut self, spec: &AdapterSpec) -> Result<AdapterId, BackendError>;

    /// Forgets an adapter. Unknown ids are ignored.
    fn remove(&mut self, adapter: AdapterId);

    /// Runs the batch forward and, unless it is forward-only, adds its gradients to the adapter's.
    fn train(
        &mut self,
        adapter: AdapterId,
        batch: &TrainBatch,
    ) -> Result<TrainOutput, BackendError>;

    /// Applies the gathered gradients and clears them. Returns metrics, `grad_norm:mean` among them.
    fn step(
        &mut self,
        adapter: AdapterId,
        constants: &AdamStep,
    ) -> Result<Vec<(String, f64)>, BackendError>;

    /// Copies an adapter out. Gathered gradients are not part of it.
    fn export(
        &self,
        adapter: AdapterId,
        with_optimizer: bool,
    ) -> Result<AdapterState, BackendError>;

    /// Makes an adapter from a copy. Refuses shapes and names that do not fit the model.
    fn import(&mut self, state: &AdapterState) -> Result<AdapterId, BackendError>;

    /// A snapshot of an adapter to sample from; training on does not change it.
    fn freeze(&self, adapter: AdapterId) -> Result<Frozen, BackendError>;

    /// The same from a checkpoint.
    fn thaw(&self, state: &AdapterState) -> Result<Frozen, BackendError>;

    /// Queues a sampling job after checking it.
    fn submit(&mut self, job: SampleJob) -> Result<JobId, BackendError>;

    /// Drops a job. Unknown ids are ignored.
    fn cancel(&mut self, job: JobId);

    /// Generates one token for every live sequence and returns the jobs that ended.
    fn advance(&mut self) -> Vec<(JobId, Result<SampleOutput, BackendError>)>;

    /// Jobs that have not ended.
    fn live_jobs(&self) -> usize;

    /// Shows what a job that has not ended has generated so far: number of the sequence, its tokens up to
    /// now, and whether these are all. A backend that can't tell shows nothing, and its samples arrive whole.
    fn peek(&self, job: JobId, see: &mut dyn FnMut(usize, &SampledTokens, bool)) {
        let _ = (job, see);
    }
}
