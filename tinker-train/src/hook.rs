//! Hooks of the caller.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tinker_client::SamplingClient;

use crate::error::BoxError;

/// The weights after a step, for an evaluation.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Snapshot {
    /// Number of steps in them.
    pub step: usize,
    /// A sampler of the weights.
    pub sampler: SamplingClient,
}

impl Snapshot {
    /// The weights after `step` steps.
    pub fn new(step: usize, sampler: SamplingClient) -> Self {
        Self { step, sampler }
    }
}

/// Evaluates weights during a run. The metrics become part of the row of the step.
pub type Evaluate = Arc<
    dyn Fn(Snapshot) -> BoxFuture<'static, Result<BTreeMap<String, f64>, BoxError>> + Send + Sync,
>;

/// Number of connections that the server has refused so far. After one, another process may answer, with an older state:
/// the run goes back to its last checkpoint.
pub type Refusals = Arc<dyn Fn() -> u64 + Send + Sync>;
