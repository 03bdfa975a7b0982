//! Operations of a model: numbered, in order, each answered with a promise at once.

use tinker_types::{ModelId, RequestId, RequestType, Submitted};
use tracing::Span;

use super::answer::{self, Answer};
use super::call::Call;
use super::refusal::Refusal;
use crate::clock;
use crate::state::Arrival;
use crate::work::{Act, Operation};

/// The promise of a model's operation. It follows from the model and the number, so that a repeated submission is the
/// same promise even after its result is gone.
pub(super) fn promise_id(model: &ModelId, number: u64) -> RequestId {
    RequestId::from(format!("{model}:{number}"))
}

/// The model and the number that a promise belongs to.
pub(super) fn promised(id: &RequestId) -> Option<(ModelId, u64)> {
    let (model, number) = id.as_str().rsplit_once(':')?;
    Some((ModelId::from(model), number.parse().ok()?))
}

/// Takes in operation `number` of a model. `prepare` checks the request and says what is to be done; where it refuses,
/// the number is used up, so that the operations after it are not held up.
pub(super) fn submit(
    call: &Call<'_>,
    kind: RequestType,
    model: &ModelId,
    number: u64,
    prepare: impl FnOnce() -> Result<Act, Refusal>,
) -> Result<Answer, Refusal> {
    let shared = call.shared;
    let id = promise_id(model, number);
    if number == 0 {
        return Err(Refusal::invalid(
            "seq_id: is 0; the operations of a model are numbered from 1",
        ));
    }
    if arrival(call, model, number)? == Arrival::Repeated {
        return Ok(promise(id, model));
    }
    shared.catalog().touch_run(model);
    let prepared = prepare();
    let taken = match prepared {
        Ok(act) => take(call, kind, model, number, act),
        Err(refusal) => Err(refusal),
    };
    if let Err(refusal) = &taken
        && !refusal.is_passing()
        && let Some(model) = shared.registry().model_at_work(model)
    {
        model.sequence.refuse(number);
    }
    shared.start_next(model);
    taken.map(|()| promise(id, model))
}

fn promise(id: RequestId, model: &ModelId) -> Answer {
    let mut submitted = Submitted::new(id);
    submitted.model_id = Some(model.clone());
    answer::json(&submitted)
}

/// What the number is to the model, as far as it is not to be refused.
fn arrival(call: &Call<'_>, model: &ModelId, number: u64) -> Result<Arrival, Refusal> {
    let mut registry = call.shared.registry();
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

fn take(
    call: &Call<'_>,
    kind: RequestType,
    model: &ModelId,
    number: u64,
    act: Act,
) -> Result<(), Refusal> {
    let (shared, id) = (call.shared, promise_id(model, number));
    let mut registry = shared.registry();
    let found = registry
        .model(model, clock::now())
        .map_err(|absent| Refusal::absent("model", model.as_str(), absent))?;
    // The same number may have come in twice at the same time.
    if found.sequence.arrival(number) == Arrival::Repeated {
        return Ok(());
    }
    let must_fit = found.sequence.is_awaited(number);
    if let Some(fulfil) = shared
        .promises
        .accept(id, kind, call.body.len(), must_fit)?
    {
        found.sequence.put(
            number,
            Operation {
                act,
                fulfil,
                span: Span::current(),
            },
        );
    }
    Ok(())
}
