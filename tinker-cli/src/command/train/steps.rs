//! Training loop: steps are submitted before the results of earlier ones arrive, so that the engine never waits.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use tinker_client::{Pending, SamplingClient, TrainingClient};
use tinker_data::{EncodedExample, Sequences};
use tinker_types::{AdamParams, Datum, ForwardBackwardOutput, Loss, OptimStepOutput, SavedWeights};
use tokio::time::Instant;

use super::plan::Plan;
use super::schedule::{Batches, learning_rate};
use crate::interrupt::Interrupt;

/// Number of steps in flight: one that is computed and one that waits for it.
const IN_FLIGHT: usize = 2;

/// Interval of reports on what a step waits for. Shorter waits are not reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// One finished step: a line of the metrics.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Step {
    /// From 1.
    #[serde(rename = "step")]
    pub(crate) number: usize,
    /// Number of tokens in the batch.
    pub(crate) tokens: usize,
    /// Number of tokens in the batch that are learned.
    pub(crate) learned_tokens: usize,
    /// Cross entropy in nats per learned token, before the step; `None` if the server reports neither it nor the log
    /// probabilities that it follows from.
    pub(crate) loss: Option<f64>,
    pub(crate) learning_rate: f64,
    /// Norm of the gradient of the summed loss; `None` if the server does not report it.
    pub(crate) grad_norm: Option<f64>,
    /// Seconds since the first step was submitted.
    pub(crate) seconds: f64,
    /// Share of the held-out prompts answered exactly after the step, if it was evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exact_match: Option<f64>,
    /// Checkpoint after the step, if one was saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) checkpoint: Option<String>,
}

/// Side results of a finished step.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    /// A sampler of its weights, if the plan has an evaluation here.
    pub(crate) sampler: Option<SamplingClient>,
    /// The error of its checkpoint.
    pub(crate) unsaved: Option<tinker_client::Error>,
}

/// A loss that is not finite.
#[derive(Debug, thiserror::Error)]
#[error("step {step}: the loss is {loss}: training has diverged")]
pub(crate) struct Diverged {
    pub(crate) step: usize,
    pub(crate) loss: f64,
}

/// The steps of a run, some of them in flight.
pub(crate) struct Steps<'a> {
    training: &'a TrainingClient,
    examples: &'a Sequences,
    plan: &'a Plan,
    batches: Batches,
    interrupt: Interrupt,
    next: usize,
    in_flight: VecDeque<InFlight>,
    started: Instant,
}

/// Where the steps of a run, or of its continuation, begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    /// Number of steps that are done.
    pub(crate) step: usize,
    /// Start of the run, from which seconds are counted.
    pub(crate) time: Instant,
}

/// A submitted step.
struct InFlight {
    step: usize,
    tokens: usize,
    learned: usize,
    learning_rate: f64,
    pass: Pending<ForwardBackwardOutput>,
    update: Pending<OptimStepOutput>,
    sampler: Option<Pending<SamplingClient>>,
    saved: Option<Pending<SavedWeights>>,
}

impl<'a> Steps<'a> {
    /// The steps of a plan. Nothing is submitted yet.
    pub(crate) fn new(
        training: &'a TrainingClient,
        examples: &'a Sequences,
        plan: &'a Plan,
        start: Start,
        interrupt: Interrupt,
    ) -> Self {
        let mut batches = Batches::new(examples.len(), plan.batch_size, plan.seed);
        for _ in 0..start.step {
            batches.next();
        }
        Self {
            training,
            examples,
            plan,
            batches,
            interrupt,
            next: start.step,
            in_flight: VecDeque::with_capacity(IN_FLIGHT),
            started: start.time,
        }
    }

    /// Waits for the next finished step. `None` when all steps are done, or those in flight at an interrupt. Calls `report`
    /// with what a step waits for if it waits long.
    pub(crate) async fn next(
        &mut self,
        mut report: impl FnMut(&str),
    ) -> anyhow::Result<Option<(Step, Extras)>> {
        while self.in_flight.len() < IN_FLIGHT
            && self.next < self.plan.steps
            && !self.interrupt.is_requested()
        {
            self.submit()?;
        }
        let Some(mut submitted) = self.in_flight.pop_front() else {
            return Ok(None);
        };
        let number = submitted.step + 1;
        let failed = || format!("step {number} failed");
        let output = watched(&mut submitted.pass, &mut report)
            .await
            .with_context(failed)?;
        let update = watched(&mut submitted.update, &mut report)
            .await
            .with_context(failed)?;
        let learned = submitted.learned.max(1) as f64;
        let loss = output.loss_sum().map(|sum| sum / learned);
        if let Some(loss) = loss.filter(|loss| !loss.is_finite()) {
            return Err(Diverged { step: number, loss }.into());
        }
        let mut extras = Extras::default();
        if let Some(mut pending) = submitted.sampler {
            let sampler = watched(&mut pending, &mut report).await;
            extras.sampler = Some(sampler.context("cannot create a sampler")?);
        }
        let mut checkpoint = None;
        if let Some(mut pending) = submitted.saved {
            match watched(&mut pending, &mut report).await {
                Ok(saved) => checkpoint = Some(saved.path.to_string()),
                Err(error) => extras.unsaved = Some(error),
            }
        }
        let metrics = update.metrics.unwrap_or_default();
        let grad_norm = metrics
            .iter()
            .find(|(name, _)| name.starts_with("grad_norm"))
            .map(|(_, norm)| *norm);
        let step = Step {
            number,
            tokens: submitted.tokens,
            learned_tokens: submitted.learned,
            loss,
            learning_rate: submitted.learning_rate,
            grad_norm,
            seconds: self.started.elapsed().as_secs_f64(),
            exact_match: None,
            checkpoint,
        };
        Ok(Some((step, extras)))
    }

    fn submit(&mut self) -> anyhow::Result<()> {
        let step = self.next;
        self.next += 1;
        let batch = self.batches.next().unwrap_or_default();
        let chosen = batch.into_iter().map(|index| self.examples.get(index));
        let chosen: Vec<EncodedExample> = chosen
            .collect::<Result<_, _>>()
            .context("cannot read the encoded data")?;
        let tokens = chosen.iter().map(|example| example.tokens).sum();
        let learned = chosen.iter().map(|example| example.learned).sum();
        let data: Vec<Datum> = chosen.into_iter().map(|example| example.datum).collect();
        let rate = learning_rate(self.plan.learning_rate, step, self.plan.steps);
        let pass = self.training.forward_backward(data, Loss::cross_entropy());
        let update = self.training.optim_step(AdamParams::new(rate));
        let done = step + 1;
        // The last step is always evaluated and saved, by the caller.
        let is_due = |every: Option<usize>| {
            every.is_some_and(|every| done.is_multiple_of(every)) && done < self.plan.steps
        };
        let sampler = is_due(self.plan.eval_every)
            .then(|| self.training.save_weights_and_get_sampling_client());
        let saved =
            is_due(self.plan.save_every).then(|| self.training.save_state(checkpoint_name(done)));
        self.in_flight.push_back(InFlight {
            step,
            tokens,
            learned,
            learning_rate: rate,
            pass,
            update,
            sampler,
            saved,
        });
        Ok(())
    }
}

/// Name of the checkpoint after `done` steps.
pub(crate) fn checkpoint_name(done: usize) -> String {
    format!("step-{done:06}")
}

/// Waits for an operation, and reports at intervals what the operation waits for.
async fn watched<T>(
    pending: &mut Pending<T>,
    report: &mut impl FnMut(&str),
) -> Result<T, tinker_client::Error> {
    loop {
        if let Ok(result) = tokio::time::timeout(REPORT_INTERVAL, &mut *pending).await {
            return result;
        }
        if let Some(waiting) = pending.waiting()
            && waiting.elapsed() >= REPORT_INTERVAL
        {
            report(&waiting.to_string());
        }
    }
}

#[cfg(all(test, feature = "local"))]
mod tests {
    use tinker_client::{LoraConfig, ServiceClient};
    use tinker_local::{Behavior, Limits, LocalEngine};
    use tinker_types::QueueState;

    use super::*;

    #[tokio::test]
    async fn long_waits_are_reported() {
        let mut limits = Limits::default();
        limits.long_poll = REPORT_INTERVAL / 2;
        let engine = LocalEngine::builder().limits(limits).build().unwrap();
        let service = ServiceClient::builder().leaf(engine.service());
        let service = service.build().unwrap();
        let training = service
            .create_lora_training_client("tinker-local/tiny", LoraConfig::new(1))
            .await
            .unwrap();
        let busy = Behavior::default().with_queue(QueueState::PausedCapacity, "no free node");
        engine.behave(|behavior| *behavior = busy);
        let mut step = training.optim_step(AdamParams::new(1e-3));
        let mut reported = Vec::new();
        let mut report = |waits_for: &str| {
            reported.push(waits_for.to_owned());
            if waits_for.contains("no free node") {
                engine.behave(|behavior| *behavior = Behavior::default());
            }
        };
        watched(&mut step, &mut report).await.unwrap();
        // The first poll returns the reason of the server.
        let last = reported.last().unwrap();
        assert_eq!(last, "paused_capacity: no free node");
    }
}
