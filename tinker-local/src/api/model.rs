//! Models in training.

use std::sync::Arc;

use tinker_types::{
    CreateModel, GetInfo, ModelCreated, ModelData, ModelId, ModelInfo, SessionId, Submitted,
};

use super::answer::{self, Answer};
use super::body;
use super::dispatch::Call;
use super::refusal::Refusal;
use super::submit::promise_id;
use crate::backend::AdapterSpec;
use crate::state::{Class, Failure, Fulfil, Model, Payload};
use crate::work::{Lane, Turn};
use crate::{clock, convert};

pub(super) fn create(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: CreateModel = body::json(&call.body)?;
    check_base_model(call, &request.base_model)?;
    convert::check_family(&request.optimizer_config)?;
    let spec = convert::adapter_spec(&request.lora_config)?;
    let id = ModelId::of_session(&request.session_id, request.model_seq_id);
    if let Some((turn, fulfil)) = register(call, &request.session_id, &id, &spec)? {
        let model = id.clone();
        call.shared.worker.run(Lane::Front, move |backend| {
            let turn = turn;
            let made = backend.create(&spec).map_err(Failure::from);
            let made = made.map(|adapter| (adapter, Payload::json(&ModelCreated::new(model))));
            settle_creation(&turn, fulfil, made);
        });
    }
    Ok(submitted(&id))
}

/// Enters a model that is about to be made, with the turn and the promise of making it. Nothing when the same request
/// came before.
pub(super) fn register(
    call: &Call<'_>,
    session: &SessionId,
    id: &ModelId,
    spec: &AdapterSpec,
) -> Result<Option<(Turn, Fulfil)>, Refusal> {
    let shared = call.shared;
    let mut registry = shared.registry();
    registry
        .touch(session, clock::now())
        .map_err(|absent| Refusal::absent("session", session.as_str(), absent))?;
    if registry.model_at_work(id).is_some() {
        return Ok(None);
    }
    let most = shared.limits.models;
    if registry.model_count() >= most {
        return Err(Refusal::invalid(format!(
            "model_seq_id: {most} models are in training, which is the most; finish a session"
        )));
    }
    let Some(fulfil) =
        shared
            .promises
            .accept(promise_id(id, 0), Class::Training, call.body.len(), false)?
    else {
        return Ok(None);
    };
    registry.add_model(id.clone(), Model::new(session.clone(), spec.clone()));
    Ok(Some((Turn::new(shared, id.clone()), fulfil)))
}

/// Ends the making of a model. Where it failed, what is asked of the model later fails for the same reason.
pub(super) fn settle_creation(
    turn: &Turn,
    fulfil: Fulfil,
    made: Result<(crate::backend::AdapterId, Payload), Failure>,
) {
    match made {
        Ok((adapter, payload)) => {
            turn.set_adapter(adapter);
            fulfil.settle(Ok(payload));
        }
        Err(failure) => {
            turn.break_model(failure.clone());
            fulfil.fail(failure);
        }
    }
}

pub(super) fn submitted(id: &ModelId) -> Answer {
    let mut submitted = Submitted::new(promise_id(id, 0));
    submitted.model_id = Some(id.clone());
    answer::json(&submitted)
}

pub(super) fn check_base_model(call: &Call<'_>, name: &str) -> Result<(), Refusal> {
    let served = &call.shared.model.name;
    if name == served {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "base_model: {name:?} is not served here; this engine serves {served:?}"
    )))
}

pub(super) fn info(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: GetInfo = body::json(&call.body)?;
    let shared = Arc::clone(call.shared);
    let mut registry = shared.registry();
    let model = registry
        .model(&request.model_id, clock::now())
        .map_err(|absent| Refusal::absent("model", request.model_id.as_str(), absent))?;
    let mut data = ModelData::default();
    data.arch = Some(shared.model.arch.clone());
    data.model_name = Some(shared.model.name.clone());
    let mut info = ModelInfo::new(request.model_id, data);
    info.is_lora = Some(true);
    info.lora_rank = u32::try_from(model.spec.rank).ok();
    Ok(answer::json(&info))
}
