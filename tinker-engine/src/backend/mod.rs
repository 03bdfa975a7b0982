//! Interface of an engine: a small trait and the plain batches that cross it.
//!
//! A backend is owned by one worker thread, which calls it with one request at a time; it may use as many threads as it
//! likes inside a call. Every method checks its input before it changes any state: a refused request leaves weights,
//! gradients and caches exactly as they were.

use std::io::Read;

mod adapter;
mod error;
mod model_info;
mod sampling;
mod training;

pub use adapter::{AdamStep, AdapterId, AdapterSpec, AdapterState, NamedTensor, OptimizerState};
pub use error::{BackendError, ErrorCategory};
pub use model_info::BaseModelInfo;
pub use sampling::{
    JobId, SampleJob, SampleOutput, SampledTokens, SamplingWeights, Snapshot, StopRule,
};
pub use training::{LossKind, TrainBatch, TrainDatum, TrainOutput};

/// A model that trains adapters and samples from them.
pub trait Backend: Send {
    /// The base model.
    fn model(&self) -> &BaseModelInfo;

    /// Creates an adapter. Until it is trained, its output equals the base model's.
    fn create(&mut self, spec: &AdapterSpec) -> Result<AdapterId, BackendError>;

    /// Removes an adapter. Unknown ids are ignored.
    fn remove(&mut self, adapter: AdapterId);

    /// Runs the batch forward and, unless it is forward-only, adds its gradients to the adapter's.
    fn train(
        &mut self,
        adapter: AdapterId,
        batch: &TrainBatch,
    ) -> Result<TrainOutput, BackendError>;

    /// Applies the accumulated gradients and clears them. Returns metrics, among them `grad_norm:mean`.
    fn step(
        &mut self,
        adapter: AdapterId,
        constants: &AdamStep,
    ) -> Result<Vec<(String, f64)>, BackendError>;

    /// Copies an adapter out, without accumulated gradients.
    fn export(
        &self,
        adapter: AdapterId,
        with_optimizer: bool,
    ) -> Result<AdapterState, BackendError>;

    /// Creates an adapter from a copy. Refuses shapes and names that do not fit the model.
    fn import(&mut self, state: &AdapterState) -> Result<AdapterId, BackendError>;

    /// Snapshot of an adapter to sample from. Further training does not change it.
    fn snapshot(&self, adapter: AdapterId) -> Result<SamplingWeights, BackendError>;

    /// Sampling weights from a checkpoint.
    fn restore(&self, state: &AdapterState) -> Result<SamplingWeights, BackendError>;

    /// Reads sampling weights that [`Snapshot::write`] has written. They are the same to the bit.
    fn read_weights(&self, from: &mut dyn Read) -> Result<SamplingWeights, BackendError>;

    /// Checks a sampling job and queues it.
    fn submit(&mut self, job: SampleJob) -> Result<JobId, BackendError>;

    /// Cancels a job. Unknown ids are ignored.
    fn cancel(&mut self, job: JobId);

    /// Runs one decoding step of all running sequences. Returns the finished jobs.
    fn advance(&mut self) -> Vec<(JobId, Result<SampleOutput, BackendError>)>;

    /// Number of jobs that have not ended.
    fn live_jobs(&self) -> usize;

    /// Shows the sequences of a job that has not ended: number of the sequence, its tokens so far, and whether it is
    /// complete. A backend that does not support this shows nothing, and its samples arrive whole.
    fn peek(&self, job: JobId, see: &mut dyn FnMut(usize, &SampledTokens, bool)) {
        let _ = (job, see);
    }
}
