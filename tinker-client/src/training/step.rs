//! A pass and the optimizer step behind it, as one operation.

use std::sync::Arc;

use futures_util::future::join;
use serde_json::Map;
use tinker_types::{
    Datum, Endpoint as _, ForwardBackward, ForwardBackwardOutput, Loss, OptimParams, OptimStep,
    OptimStepOutput,
};

use super::client::TrainingClient;
use super::fault;
use super::passes::{self, Unsent};
use crate::error::PartlyDone;
use crate::operation::{pending::Pending, tracker::Tracker, waiting::WaitingFor};

const METHOD: &str = "TrainingClient.train_step";

/// Results of [`TrainingClient::train_step`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TrainStepOutput {
    /// Result of the pass.
    pub pass: ForwardBackwardOutput,
    /// Result of the optimizer step.
    pub step: OptimStepOutput,
}

impl TrainingClient {
    /// Runs a forward and a backward pass, and applies the accumulated gradients. Both requests are in flight at once, as
    /// with [`forward_backward`](Self::forward_backward) and [`optim_step`](Self::optim_step).
    ///
    /// The step is not sent if the pass was refused, in whole or in part. With the two methods it would be done without
    /// the gradients of the pass, and change the weights by the moments of earlier steps.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::{AdamParams, Datum, Loss};
    ///
    /// let data = vec![Datum::supervised(&[72, 105], &[33])];
    /// let done = training.train_step(data, Loss::cross_entropy(), AdamParams::new(1e-3)).await?;
    /// assert!(done.pass.loss_sum().is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for the two methods. [`Error::Partly`](crate::Error::Partly) if the pass failed after the step was sent, and the step was done.
    pub fn train_step(
        &self,
        data: impl Into<Arc<[Datum]>>,
        loss: Loss,
        params: impl Into<OptimParams>,
    ) -> Pending<TrainStepOutput> {
        let (data, params) = (data.into(), params.into());
        let checked = fault::check_small(&loss, &data).and_then(|()| params.check());
        if let Err(error) = checked {
            return Pending::refused(error);
        }
        let connection = match passes::ready(&self.inner, "train_step") {
            Ok(connection) => connection,
            Err(error) => return Pending::refused(error),
        };
        let pass = Unsent {
            operation: ForwardBackward::NAME,
            parts: passes::split(&data, &connection),
            data,
            loss,
            forward_only: false,
        };
        let inner = Arc::clone(&self.inner);
        let (turn, next) = (inner.sequencer.reserve(), inner.sequencer.reserve());
        let tracker = Tracker::new(METHOD, &inner.group, WaitingFor::Turn);
        let (model, track) = (Arc::clone(&inner), tracker.clone());
        let work = async move {
            let tracker = track;
            let pass = Box::pin(pass.submit(&inner, &connection, turn, &tracker)).await?;
            let extra = Map::new();
            let request = |model, seq_id| OptimStep::new(model, seq_id, params);
            let step = Box::pin(inner.run(request, &extra, next, &tracker));
            let is_whole = pass.is_whole();
            let pass = Box::pin(pass.results(&connection, &tracker));
            let results = if is_whole {
                join(pass, step).await
            } else {
                // It fails, and the step is not sent.
                (Ok(pass.await?), step.await)
            };
            match results {
                (Ok(pass), Ok(step)) => Ok(TrainStepOutput { pass, step }),
                (Err(pass), Ok(_)) => Err(PartlyDone::step("train_step", pass).into()),
                (Err(error), Err(_)) | (Ok(_), Err(error)) => Err(error),
            }
        };
        Pending::detached(tracker.clone(), async move {
            match work.await {
                Ok(output) => Ok(output),
                Err(error) => Err(model.settled(error).await),
            }
        })
    }
}
