//! The training loop: steps are submitted before earlier ones have come back, so that the engine never waits.

use std::collections::VecDeque;

use anyhow::Context as _;
use serde::Serialize;
use tinker_client::{Pending, SamplingClient, TrainingClient};
use tinker_types::{AdamParams, Datum, ForwardBackwardOutput, Loss, OptimStepOutput};
use tokio::time::Instant;

use super::plan::Plan;
use super::prepare::Ready;
use super::schedule::{Batches, learning_rate};
use crate::interrupt::Interrupt;

/// Steps on their way at the same time: one being computed and one that waits behind it.
const IN_FLIGHT: usize = 2;

/// One finished step: a line of the metrics.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Step {
    /// From 1.
    #[serde(rename = "step")]
    pub(crate) number: usize,
    /// Tokens of the batch.
    pub(crate) tokens: usize,
    /// Those of them that are learned.
    pub(crate) learned_tokens: usize,
    /// Cross entropy in nats per learned token, before the step.
    pub(crate) loss: f64,
    pub(crate) learning_rate: f64,
    /// Norm of the gradient of the summed loss; `None` where the server does not report it.
    pub(crate) grad_norm: Option<f64>,
    /// Since the first step was submitted.
    pub(crate) seconds: f64,
    /// Share of the held-out prompts answered exactly after the step, where they were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exact_match: Option<f64>,
}

/// Training that has gone astray.
#[derive(Debug, thiserror::Error)]
#[error("step {step}: the loss is {loss}: training has diverged")]
pub(crate) struct Diverged {
    pub(crate) step: usize,
    pub(crate) loss: f64,
}

/// A run of steps that is going on.
pub(crate) struct Steps<'a> {
    training: &'a TrainingClient,
    examples: &'a [Ready],
    plan: &'a Plan,
    batches: Batches,
    interrupt: Interrupt,
    next: usize,
    flying: VecDeque<Flying>,
    started: Instant,
}

/// A step on its way.
struct Flying {
    step: usize,
    tokens: usize,
    learned: usize,
    learning_rate: f64,
    pass: Pending<ForwardBackwardOutput>,
    update: Pending<OptimStepOutput>,
    sampler: Option<Pending<SamplingClient>>,
}

impl<'a> Steps<'a> {
    /// The steps of a plan. Nothing is submitted yet.
    pub(crate) fn new(
        training: &'a TrainingClient,
        examples: &'a [Ready],
        plan: &'a Plan,
        interrupt: Interrupt,
    ) -> Self {
        let mut batches = Batches::new(examples.len(), plan.batch_size, plan.seed);
        for _ in 0..plan.first_step {
            batches.next();
        }
        Self {
            training,
            examples,
            plan,
            batches,
            interrupt,
            next: plan.first_step,
            flying: VecDeque::with_capacity(IN_FLIGHT),
            started: Instant::now(),
        }
    }

    /// The next finished step, and a sampler of its weights where the plan wants an evaluation. `None` when all are
    /// done, or when those on their way at an interrupt are.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<(Step, Option<SamplingClient>)>> {
        while self.flying.len() < IN_FLIGHT
            && self.next < self.plan.steps
            && !self.interrupt.is_asked()
        {
            self.submit();
        }
        let Some(flying) = self.flying.pop_front() else {
            return Ok(None);
        };
        let number = flying.step + 1;
        let (output, update) = tokio::try_join!(flying.pass, flying.update)
            .with_context(|| format!("step {number} failed"))?;
        let sum = output.loss_sum().with_context(|| {
            format!("step {number}: the answer has no metric \"loss:sum\" to read the loss from")
        })?;
        let loss = sum / flying.learned.max(1) as f64;
        if !loss.is_finite() {
            return Err(Diverged { step: number, loss }.into());
        }
        let sampler = match flying.sampler {
            Some(pending) => Some(pending.await.context("cannot make a sampler")?),
            None => None,
        };
        let metrics = update.metrics.unwrap_or_default();
        let grad_norm = metrics
            .iter()
            .find(|(name, _)| name.starts_with("grad_norm"))
            .map(|(_, norm)| *norm);
        let step = Step {
            number,
            tokens: flying.tokens,
            learned_tokens: flying.learned,
            loss,
            learning_rate: flying.learning_rate,
            grad_norm,
            seconds: self.started.elapsed().as_secs_f64(),
            exact_match: None,
        };
        Ok(Some((step, sampler)))
    }

    fn submit(&mut self) {
        let step = self.next;
        self.next += 1;
        let chosen: Vec<&Ready> = self
            .batches
            .next()
            .unwrap_or_default()
            .into_iter()
            .map(|index| &self.examples[index])
            .collect();
        let data: Vec<Datum> = chosen.iter().map(|ready| ready.datum.clone()).collect();
        let rate = learning_rate(self.plan.learning_rate, step, self.plan.steps);
        let pass = self.training.forward_backward(data, Loss::cross_entropy());
        let update = self.training.optim_step(AdamParams::new(rate));
        let evaluated = self
            .plan
            .eval_every
            .is_some_and(|every| (step + 1).is_multiple_of(every));
        let sampler = (evaluated && step + 1 < self.plan.steps)
            .then(|| self.training.save_weights_and_get_sampling_client());
        self.flying.push_back(Flying {
            step,
            tokens: chosen.iter().map(|ready| ready.tokens).sum(),
            learned: chosen.iter().map(|ready| ready.learned).sum(),
            learning_rate: rate,
            pass,
            update,
            sampler,
        });
    }
}
