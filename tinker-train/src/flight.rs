//! A submitted step, and its result.

use std::time::Duration;

use tinker_client::{
    ForwardBackwardOutput, OptimStepOutput, Pending, SamplingClient, SavedWeights, TrainingClient,
};

use crate::error::TrainError;
use crate::recipe::{Batch, BatchLoss, Measured};
use crate::row::StepRow;

/// Interval of reports on what a step waits for. Shorter waits are not reported.
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// A submitted step.
pub(crate) struct Flight {
    /// Everything that is known before the result.
    pub(crate) row: StepRow,
    pub(crate) passes: Vec<Pass>,
    /// Number by which the summed loss is divided.
    per: f64,
    /// `None` if there was nothing to learn.
    pub(crate) update: Option<Pending<OptimStepOutput>>,
    pub(crate) snapshot: Option<Pending<SamplingClient>>,
    pub(crate) saved: Option<Pending<SavedWeights>>,
}

/// A submitted pass.
pub(crate) struct Pass {
    output: Pending<ForwardBackwardOutput>,
    measure: Option<Measured>,
}

/// The result of a step.
pub(crate) struct Landed {
    pub(crate) row: StepRow,
    pub(crate) snapshot: Option<SamplingClient>,
    /// The checkpoint after the step, or why there is none.
    pub(crate) saved: Option<Result<SavedWeights, tinker_client::Error>>,
}

impl Flight {
    pub(crate) fn new(row: StepRow) -> Self {
        Self {
            row,
            per: 0.0,
            passes: Vec::new(),
            update: None,
            snapshot: None,
            saved: None,
        }
    }

    /// Submits the pass of a batch.
    pub(crate) fn add(&mut self, training: &TrainingClient, batch: Batch) {
        let row = &mut self.row;
        row.tokens += batch.tokens;
        row.learned_tokens += batch.learned;
        self.per += batch.per.unwrap_or(batch.learned as f64);
        row.metrics.extend(finite(batch.metrics));
        if batch.data.is_empty() {
            return;
        }
        let output = match batch.loss {
            BatchLoss::Builtin(loss) => training.forward_backward(batch.data, loss),
            BatchLoss::Custom(custom) => training.forward_backward_custom(batch.data, custom),
        };
        self.passes.push(Pass {
            output,
            measure: batch.measure,
        });
    }

    /// Waits for the result. Calls `report` with what the step waits for if it waits long.
    pub(crate) async fn land(
        mut self,
        report: &mut (dyn FnMut(usize, String) + Send),
    ) -> Result<Landed, TrainError> {
        let number = self.row.number;
        let failed = |error| TrainError::client(format!("step {number} failed"), error);
        let mut report = |what: String| report(number, what);
        let mut sum = None;
        for mut pass in self.passes {
            let output = watched(&mut pass.output, &mut report).await;
            let output = output.map_err(failed)?;
            if let Some(loss) = output.loss_sum() {
                sum = Some(sum.unwrap_or(0.0) + loss);
            }
            if let Some(Measured(measure)) = pass.measure {
                self.row.metrics.extend(finite(measure(&output)));
            }
        }
        let row = &mut self.row;
        row.loss = sum.map(|sum| sum / self.per.max(1.0));
        if let Some(mut update) = self.update {
            let update = watched(&mut update, &mut report).await.map_err(failed)?;
            let metrics = update.metrics.unwrap_or_default();
            let mut norms = metrics
                .iter()
                .filter(|(name, _)| name.starts_with("grad_norm"));
            row.grad_norm = norms.next().map(|(_, norm)| *norm);
        }
        let mut snapshot = None;
        if let Some(mut pending) = self.snapshot {
            let sampler = watched(&mut pending, &mut report).await;
            let failed = |error| TrainError::client("cannot create a sampler", error);
            snapshot = Some(sampler.map_err(failed)?);
        }
        let mut saved = None;
        if let Some(mut pending) = self.saved {
            saved = Some(watched(&mut pending, &mut report).await);
        }
        Ok(Landed {
            row: self.row,
            snapshot,
            saved,
        })
    }
}

/// Numbers that JSON can hold.
fn finite(metrics: impl IntoIterator<Item = (String, f64)>) -> impl Iterator<Item = (String, f64)> {
    metrics.into_iter().filter(|(_, value)| value.is_finite())
}

/// Waits for an operation, and reports at intervals what it waits for.
pub(crate) async fn watched<T>(
    pending: &mut Pending<T>,
    report: &mut (dyn FnMut(String) + Send),
) -> Result<T, tinker_client::Error> {
    loop {
        if let Ok(result) = tokio::time::timeout(REPORT_INTERVAL, &mut *pending).await {
            return result;
        }
        if let Some(waiting) = pending.waiting()
            && waiting.elapsed() >= REPORT_INTERVAL
        {
            report(waiting.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use tinker_client::AdamParams;
    use tinker_local::{Behavior, Limits, LocalEngine};
    use tinker_types::QueueState;

    use super::*;
    use crate::fixture::{service, training};

    #[tokio::test]
    async fn long_waits_are_reported() {
        let mut limits = Limits::default();
        limits.long_poll = REPORT_INTERVAL / 2;
        let engine = LocalEngine::builder().limits(limits).build().unwrap();
        let training = training(&service(&engine)).await;
        let busy = Behavior::default().with_queue(QueueState::PausedCapacity, "no free node");
        engine.behave(|behavior| *behavior = busy);
        let mut step = training.optim_step(AdamParams::new(1e-3));
        let mut reported = Vec::new();
        let mut report = |waits_for: String| {
            if waits_for.contains("no free node") {
                engine.behave(|behavior| *behavior = Behavior::default());
            }
            reported.push(waits_for);
        };
        watched(&mut step, &mut report).await.unwrap();
        // The first poll returns the reason of the server.
        let last = reported.last().unwrap();
        assert_eq!(last, "paused_capacity: no free node");
    }
}
