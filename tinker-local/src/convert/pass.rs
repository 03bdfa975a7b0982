//! Training passes, including losses that are reduced to weighted cross entropy.

use std::fmt;

use tinker_types::ForwardBackwardOutput;

use super::output;
use tinker_engine::backend::{AdapterId, Backend, BackendError, TrainBatch, TrainOutput};

/// A training pass.
pub(crate) struct Pass {
    pub(crate) batch: TrainBatch,
    /// A loss that the engine lacks. The batch then has cross entropy.
    pub(super) surrogate: Option<Surrogate>,
}

/// A loss as a function of the log probabilities of each datum.
pub(super) type Surrogate = Box<dyn Fn(&[Vec<f32>]) -> Result<Slopes, BackendError> + Send>;

/// Results of such a loss.
#[derive(Debug, Default)]
pub(super) struct Slopes {
    /// Derivative by each log probability, for each datum.
    pub(super) of_data: Vec<Vec<f32>>,
    pub(super) loss_sum: f64,
    pub(super) metrics: Vec<(String, f64)>,
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass")
            .field("data", &self.batch.data.len())
            .finish_non_exhaustive()
    }
}

impl Pass {
    /// Number of input tokens of all data.
    pub(crate) fn tokens(&self) -> usize {
        self.batch.data.iter().map(|datum| datum.tokens.len()).sum()
    }

    /// Runs the pass. A loss that the engine lacks takes two passes: one for the log probabilities, and one with cross
    /// entropy, `-sum w lp`, whose weights are the negated derivatives, so that the gradients are equal.
    pub(crate) fn run(
        mut self,
        backend: &mut dyn Backend,
        adapter: AdapterId,
    ) -> Result<ForwardBackwardOutput, BackendError> {
        let Some(surrogate) = self.surrogate else {
            let given = backend.train(adapter, &self.batch)?;
            return output(&self.batch, given);
        };
        let forward_only = std::mem::replace(&mut self.batch.forward_only, true);
        let forward = backend.train(adapter, &self.batch)?;
        let slopes = surrogate(&forward.logprobs)?;
        if !forward_only {
            self.batch.forward_only = false;
            for (datum, slopes) in self.batch.data.iter_mut().zip(slopes.of_data) {
                datum.weights = Some(slopes.into_iter().map(|slope| -slope).collect());
            }
            backend.train(adapter, &self.batch)?;
        }
        let given = TrainOutput {
            logprobs: forward.logprobs,
            loss_sum: slopes.loss_sum,
            metrics: slopes.metrics,
        };
        output(&self.batch, given)
    }
}
