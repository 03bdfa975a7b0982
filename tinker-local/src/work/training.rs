//! Training passes and optimizer steps.

use std::sync::Arc;

use tinker_types::proto::encode_output;
use tinker_types::{ForwardBackward, LossId, OptimStep, OptimStepOutput, RequestId};

use super::operations::{Operations, Run};
use super::submission::Submission;
use crate::convert::{self, Pass};
use crate::refusal::Refusal;
use crate::state::{Failure, Payload};
use crate::usage::Kind;
use tinker_engine::backend::AdamStep;

impl Operations {
    /// Queues a training pass. `decode` reads the request.
    pub(crate) fn forward_backward(
        self: &Arc<Self>,
        submission: Submission<'_>,
        decode: impl FnOnce() -> Result<ForwardBackward, Refusal>,
    ) -> Result<RequestId, Refusal> {
        self.submit(submission, || {
            let mut request = decode()?;
            let substituted = self.substitutes.apply(&mut request.loss);
            self.check_data_count(request.data.len())?;
            let custom_loss = |id: &LossId| self.loss_of(&request.model_id, id);
            let pass = convert::pass(&request, self.info_of(&request.model_id)?, custom_loss)?;
            Ok(train(pass, substituted))
        })
    }

    /// Refuses more data than one request may have.
    pub(crate) fn check_data_count(&self, count: usize) -> Result<(), Refusal> {
        let most = self.limits.data_per_request;
        if count > most {
            return Err(Refusal::invalid(format!(
                "data: has {count} entries, {most} is the most; send fewer at a time"
            )));
        }
        Ok(())
    }

    /// Queues an optimizer step. `decode` reads the request.
    pub(crate) fn optim_step(
        self: &Arc<Self>,
        submission: Submission<'_>,
        decode: impl FnOnce() -> Result<OptimStep, Refusal>,
    ) -> Result<RequestId, Refusal> {
        self.submit(submission, || Ok(step(convert::adam_step(&decode()?)?)))
    }
}

/// Runs a pass. `substituted` is the name of the metric that reports another loss than the requested one.
fn train(pass: Pass, substituted: Option<String>) -> Run {
    Box::new(move |context| {
        let usage = Arc::clone(&context.operations.usage);
        let session = context.model.session();
        context.run(move |backend, adapter, _lock, promise| {
            let tokens = pass.tokens();
            let output = pass.run(backend, adapter);
            if output.is_ok() {
                usage.add(&session, Kind::Training, tokens);
            }
            let output = output.map(|mut output| {
                output.metrics.extend(substituted.map(|name| (name, 1.0)));
                Payload::Output(encode_output(&output))
            });
            promise.settle(output.map_err(Failure::from));
        });
    })
}

fn step(constants: AdamStep) -> Run {
    Box::new(move |context| {
        context.run(move |backend, adapter, _lock, promise| {
            let output = backend.step(adapter, &constants).map(|metrics| {
                let metrics = metrics.into_iter();
                let mut output = OptimStepOutput::default();
                // JSON has no NaN and no infinity: such a metric is left out.
                output.metrics = Some(metrics.filter(|(_, value)| value.is_finite()).collect());
                Payload::json(&output)
            });
            promise.settle(output.map_err(Failure::from));
        });
    })
}
