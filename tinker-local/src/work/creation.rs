//! Making models and letting them go.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tinker_types::{
    CreateModel, ModelCreated, ModelId, RequestId, RequestType, SessionId, wire::route,
};

use super::message::Queue;
use super::operations::{ModelLock, Operations};
use crate::audit::Entry;
use crate::note::RunNote;
use crate::refusal::Refusal;
use crate::state::{Absent, BaseId, Failure, Model, Payload, PromiseWriter};
use crate::{clock, convert};
use tinker_engine::backend::{AdapterId, AdapterSpec, Backend, BackendError};

/// A model that is about to be made.
pub(super) struct NewRun<'a> {
    pub(super) kind: RequestType,
    pub(super) session: &'a SessionId,
    pub(super) id: &'a ModelId,
    pub(super) base: BaseId,
    pub(super) spec: &'a AdapterSpec,
    pub(super) user_metadata: BTreeMap<String, Value>,
    /// Bytes of the request.
    pub(super) bytes: usize,
}

impl Operations {
    /// Makes a model. `bytes` is the size of the request. Returns the model with the promise.
    pub(crate) fn create_model(
        self: &Arc<Self>,
        request: CreateModel,
        bytes: usize,
    ) -> Result<(ModelId, RequestId), Refusal> {
        let base = self.base(&request.base_model)?;
        convert::check_family(&request.optimizer_config)?;
        let spec = convert::adapter_spec(&request.lora_config)?;
        let alpha = request.lora_config.alpha;
        let id = ModelId::of_session(&request.session_id, request.model_seq_id);
        let new = NewRun {
            kind: RequestType::CreateModel,
            session: &request.session_id,
            id: &id,
            base,
            spec: &spec,
            user_metadata: request.user_metadata.unwrap_or_default(),
            bytes,
        };
        if let Some((lock, promise)) = self.register(new)? {
            let model = id.clone();
            self.worker(base).run(Queue::Front, move |backend| {
                let lock = lock;
                let made = create(backend, &spec, alpha).map_err(Failure::from);
                let made = made.map(|adapter| (adapter, Payload::json(&ModelCreated::new(model))));
                settle_creation(&lock, promise, made);
            });
        }
        let promise = RequestId::of_model(&id, 0);
        Ok((id, promise))
    }

    /// Registers a model that is about to be made, and returns its lock and the promise of making it. `None` if the
    /// same request came before.
    pub(super) fn register(
        self: &Arc<Self>,
        new: NewRun<'_>,
    ) -> Result<Option<(ModelLock, PromiseWriter)>, Refusal> {
        let NewRun {
            session,
            id,
            base,
            spec,
            ..
        } = new;
        let mut registry = self.registry();
        registry
            .touch(session, clock::now())
            .map_err(|absent| Refusal::absent("session", session.as_str(), absent))?;
        if registry.model_at_work(id).is_some() {
            return Ok(None);
        }
        let most = self.limits.models;
        if registry.model_count() >= most {
            return Err(Refusal::invalid(format!(
                "model_seq_id: {most} models are in training, which is the most; finish a session"
            )));
        }
        let accepted =
            self.promises
                .accept(RequestId::of_model(id, 0), new.kind, new.bytes, false)?;
        let Some(promise) = accepted else {
            return Ok(None);
        };
        registry.add_model(id.clone(), Model::new(session.clone(), base, spec.clone()));
        drop(registry);
        self.catalog().add_run(RunNote {
            id: id.clone(),
            base_model: self.info(base).name.clone(),
            lora_rank: spec.rank,
            last_request: clock::calendar(),
            user_metadata: new.user_metadata,
        });
        let entry = Entry::new("training_run_created").of_model(id);
        self.audit.note(entry.with_detail("rank", spec.rank));
        Ok(Some((ModelLock::new(self, id.clone(), base), promise)))
    }

    /// Lets a model go after the operations it has accepted. The promise is fulfilled at once with `unload_model`.
    pub(crate) fn unload_model(&self, id: &ModelId) -> Result<RequestId, Refusal> {
        let promise = RequestId::of_unload(id);
        let known = self.registry().model(id, clock::now()).map(|_| ());
        if matches!(known, Err(Absent::Unloaded)) {
            return Ok(promise);
        }
        known.map_err(|absent| Refusal::absent("model", id.as_str(), absent))?;
        let kind = RequestType::CreateModel;
        let accepted = self.promises.accept(promise.clone(), kind, 0, true)?;
        let idle = self.registry().unload(id);
        self.forget(idle);
        if let Some(accepted) = accepted {
            let result = json!({ "model_id": id, "type": route::UNLOAD_MODEL });
            accepted.settle(Ok(Payload::json(&result)));
        }
        Ok(promise)
    }
}

/// Creates an adapter, with another scaling than that of the engine if one is given.
fn create(
    backend: &mut dyn Backend,
    spec: &AdapterSpec,
    alpha: Option<u32>,
) -> Result<AdapterId, BackendError> {
    let fresh = backend.create(spec)?;
    let Some(alpha) = alpha else {
        return Ok(fresh);
    };
    let scaled = backend.export(fresh, false).and_then(|mut state| {
        state.alpha = alpha as f32;
        backend.import(&state)
    });
    backend.remove(fresh);
    scaled
}

/// Ends the making of a model. If it failed, later operations of the model fail for the same reason.
pub(super) fn settle_creation(
    lock: &ModelLock,
    promise: PromiseWriter,
    made: Result<(AdapterId, Payload), Failure>,
) {
    match made {
        Ok((adapter, payload)) => {
            lock.set_adapter(adapter);
            promise.settle(Ok(payload));
        }
        Err(failure) => {
            lock.break_model(failure.clone());
            promise.fail(failure);
        }
    }
}
