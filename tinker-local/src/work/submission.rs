//! Submission of numbered operations.

use std::sync::Arc;

use tinker_types::{ModelId, RequestId, RequestType};
use tracing::Span;

use super::operations::{Operation, Operations, Run};
use crate::clock;
use crate::refusal::Refusal;
use crate::state::Arrival;

/// A numbered operation of a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Submission<'a> {
    pub(crate) kind: RequestType,
    pub(crate) model: &'a ModelId,
    /// Position in the order of the model's operations, from 1.
    pub(crate) number: u64,
    /// Bytes of the request.
    pub(crate) bytes: usize,
}

impl Operations {
    /// Accepts an operation and returns its promise. `prepare` checks the request and returns the work; if it refuses,
    /// the number counts as used, so that later operations are not blocked.
    pub(super) fn submit(
        self: &Arc<Self>,
        submission: Submission<'_>,
        prepare: impl FnOnce() -> Result<Run, Refusal>,
    ) -> Result<RequestId, Refusal> {
        let Submission { model, number, .. } = submission;
        if number == 0 {
            return Err(Refusal::invalid(
                "seq_id: is 0; the operations of a model are numbered from 1",
            ));
        }
        let id = RequestId::of_model(model, number);
        if self.arrival(model, number)? == Arrival::Repeated {
            return Ok(id);
        }
        self.catalog().touch_run(model);
        let accepted = prepare().and_then(|run| self.queue(submission, id.clone(), run));
        if let Err(refusal) = &accepted
            && !refusal.is_passing()
            && let Some(model) = self.registry().model_at_work(model)
        {
            model.sequence.refuse(number);
        }
        self.start_next(model);
        accepted.map(|()| id)
    }

    /// Classifies the number. Numbers that cannot be accepted are errors.
    fn arrival(&self, model: &ModelId, number: u64) -> Result<Arrival, Refusal> {
        let mut registry = self.registry();
        let found = registry
            .model(model, clock::now())
            .map_err(|absent| Refusal::absent("model", model.as_str(), absent))?;
        match found.sequence.arrival(number) {
            Arrival::Refused => Err(Refusal::invalid(format!(
                "seq_id: {number} of {model} was refused before; use a new number"
            ))),
            Arrival::Crowded => Err(Refusal::invalid(format!(
                "seq_id: {number} of {model} would wait for a number that never came, behind too many others"
            ))),
            known => Ok(known),
        }
    }

    fn queue(&self, submission: Submission<'_>, id: RequestId, run: Run) -> Result<(), Refusal> {
        let Submission {
            kind,
            model,
            number,
            bytes,
        } = submission;
        let mut registry = self.registry();
        let found = registry
            .model(model, clock::now())
            .map_err(|absent| Refusal::absent("model", model.as_str(), absent))?;
        // The same number may have come in twice at the same time.
        if found.sequence.arrival(number) == Arrival::Repeated {
            return Ok(());
        }
        let must_fit = found.sequence.is_awaited(number);
        if let Some(promise) = self.promises.accept(id, kind, bytes, must_fit)? {
            let span = Span::current();
            let operation = Operation { run, promise, span };
            found.sequence.put(number, operation);
        }
        Ok(())
    }

    /// Marks the number of a request that could not be decoded as used, so that later operations are not blocked.
    pub(crate) fn refuse(self: &Arc<Self>, model: &ModelId, number: u64) {
        if number > 0
            && let Some(found) = self.registry().model_at_work(model)
        {
            found.sequence.refuse(number);
        }
        self.start_next(model);
    }

    /// The number that a promise's operation waits for, if an earlier operation of its model has not arrived. The first
    /// report of a number is logged.
    pub(crate) fn missing_before(&self, promise: &RequestId) -> Option<(ModelId, u64)> {
        let (model, number) = (ModelId::from(promise.owner()), promise.seq_id()?);
        let mut registry = self.registry();
        let found = registry.model_at_work(&model)?;
        let missing = found.sequence.missing()?;
        if missing >= number {
            return None;
        }
        if found.sequence.report(missing) {
            tracing::warn!(%model, number, missing, "an operation waits for an earlier one that has not arrived");
        }
        drop(registry);
        Some((model, missing))
    }
}
