//! Models in training.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tinker_types::{
    CreateModel, GetInfo, ModelCreated, ModelData, ModelId, ModelInfo, RequestId, RequestType,
    SessionId, Submitted,
};

use super::answer::{self, Answer};
use super::body;
use super::call::Call;
use super::refusal::Refusal;
use super::submit::promise_id;
use crate::audit::Entry;
use crate::backend::{AdapterSpec, ModelInfo as Info};
use crate::note::RunNote;
use crate::served::BaseId;
use crate::state::{Absent, Failure, Fulfil, Model, Payload};
use crate::work::{Lane, Turn};
use crate::{clock, convert};

pub(super) fn create(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: CreateModel = body::json(&call.body)?;
    body::check_notes(&call.body, &call.shared.limits)?;
    let base = base(call, &request.base_model)?;
    convert::check_family(&request.optimizer_config)?;
    let spec = convert::adapter_spec(&request.lora_config)?;
    let id = ModelId::of_session(&request.session_id, request.model_seq_id);
    let new = NewRun {
        kind: RequestType::CreateModel,
        session: &request.session_id,
        id: &id,
        base,
        spec: &spec,
        user_metadata: request.user_metadata.unwrap_or_default(),
    };
    if let Some((turn, fulfil)) = register(call, new)? {
        let model = id.clone();
        call.shared.worker(base).run(Lane::Front, move |backend| {
            let turn = turn;
            let made = backend.create(&spec).map_err(Failure::from);
            let made = made.map(|adapter| (adapter, Payload::json(&ModelCreated::new(model))));
            settle_creation(&turn, fulfil, made);
        });
    }
    Ok(submitted(&id))
}

/// A model that is about to be made.
pub(super) struct NewRun<'a> {
    pub(super) kind: RequestType,
    pub(super) session: &'a SessionId,
    pub(super) id: &'a ModelId,
    pub(super) base: BaseId,
    pub(super) spec: &'a AdapterSpec,
    pub(super) user_metadata: BTreeMap<String, Value>,
}

/// Enters a model that is about to be made, with the turn and the promise of making it. Nothing when the same request
/// came before.
pub(super) fn register(
    call: &Call<'_>,
    new: NewRun<'_>,
) -> Result<Option<(Turn, Fulfil)>, Refusal> {
    let NewRun {
        session,
        id,
        base,
        spec,
        ..
    } = new;
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
            .accept(promise_id(id, 0), new.kind, call.body.len(), false)?
    else {
        return Ok(None);
    };
    registry.add_model(id.clone(), Model::new(session.clone(), base, spec.clone()));
    drop(registry);
    shared.catalog().add_run(RunNote {
        id: id.clone(),
        base_model: shared.info(base).name.clone(),
        lora_rank: spec.rank,
        last_request: clock::calendar(),
        user_metadata: new.user_metadata,
    });
    let entry = Entry::new("training_run_created").of_model(id);
    shared.audit.note(entry.with_detail("rank", spec.rank));
    Ok(Some((Turn::new(shared, id.clone(), base), fulfil)))
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

/// The base model of this name.
pub(super) fn base(call: &Call<'_>, name: &str) -> Result<BaseId, Refusal> {
    call.shared.base(name).ok_or_else(|| {
        let served: Vec<String> = call
            .shared
            .models()
            .map(|info| format!("{:?}", info.name))
            .collect();
        Refusal::invalid(format!(
            "base_model: {name:?} is not served here; this engine serves {}",
            served.join(", ")
        ))
    })
}

/// What is known of the base of a model in training.
pub(super) fn info_of<'a>(call: &Call<'a>, id: &ModelId) -> Result<&'a Info, Refusal> {
    let base = call
        .shared
        .registry()
        .model_at_work(id)
        .map(|model| model.base);
    let absent = || Refusal::absent("model", id.as_str(), Absent::Unknown);
    base.map(|base| call.shared.info(base)).ok_or_else(absent)
}

pub(super) fn info(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: GetInfo = body::json(&call.body)?;
    let shared = Arc::clone(call.shared);
    let mut registry = shared.registry();
    let model = registry
        .model(&request.model_id, clock::now())
        .map_err(|absent| Refusal::absent("model", request.model_id.as_str(), absent))?;
    let mut data = ModelData::default();
    let base = shared.info(model.base);
    data.arch = Some(base.arch.clone());
    data.model_name = Some(base.name.clone());
    data.tokenizer_id.clone_from(&base.tokenizer);
    let mut info = ModelInfo::new(request.model_id, data);
    info.is_lora = Some(true);
    info.lora_rank = u32::try_from(model.spec.rank).ok();
    Ok(answer::json(&info))
}

/// What older clients send when they are done with a model.
#[derive(Deserialize, Serialize)]
struct UnloadModel {
    model_id: ModelId,
}

/// Lets a model go after the operations it has accepted. The promise says so at once.
pub(super) fn unload(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: UnloadModel = body::json(&call.body)?;
    let (shared, id) = (call.shared, request.model_id);
    let promise = RequestId::from(format!("{id}:unload"));
    let known = shared.registry().model(&id, clock::now()).map(|_| ());
    let is_repeated = matches!(known, Err(Absent::Unloaded));
    if !is_repeated {
        known.map_err(|absent| Refusal::absent("model", id.as_str(), absent))?;
        let accepted =
            shared
                .promises
                .accept(promise.clone(), RequestType::CreateModel, 0, true)?;
        shared.unload(&id);
        if let Some(fulfil) = accepted {
            let result = json!({ "model_id": id, "type": "unload_model" });
            fulfil.settle(Ok(Payload::json(&result)));
        }
    }
    Ok(answer::json(&Submitted::new(promise)))
}
