//! Loading weights.

use std::sync::Arc;

use tinker_types::{
    CheckpointPath, InvalidValue, LoadTarget, LoadWeights, ModelId, RequestId, RequestType,
    SessionId, WeightsLoaded,
};

use super::creation::{NewRun, settle_creation};
use super::message::Queue;
use super::operations::{Operations, Run};
use super::submission::Submission;
use crate::audit::Entry;
use crate::convert;
use crate::refusal::Refusal;
use crate::state::{BaseId, Failure, Payload};
use crate::store::{Access, Record};
use crate::tenant::Tenant;
use tinker_engine::backend::{AdapterId, AdapterState, Backend, BackendError};

impl Operations {
    /// Loads a checkpoint into a model, which is made if the request names a new one. `bytes` is the size of the
    /// request. Returns the model with the promise.
    pub(crate) async fn load_weights(
        self: &Arc<Self>,
        request: LoadWeights,
        bytes: usize,
    ) -> Result<(ModelId, RequestId), Refusal> {
        let (session, id) = match &request.target {
            LoadTarget::Existing { model_id, seq_id } => {
                let submission = Submission {
                    kind: RequestType::LoadWeights,
                    model: model_id,
                    number: *seq_id,
                    bytes,
                };
                let promise = self.submit(submission, || {
                    let path = adapter_path("path", &request.path)?;
                    let tenant = self.tenant_of(&model_id.session())?;
                    Ok(load(path, request.optimizer, tenant))
                })?;
                return Ok((model_id.clone(), promise));
            }
            LoadTarget::NewModel {
                session_id,
                model_seq_id,
            } => (session_id, ModelId::of_session(session_id, *model_seq_id)),
        };
        let path = adapter_path("path", &request.path)?;
        let asked = request.base_model.as_deref();
        let asked = asked.map(|name| self.base(name)).transpose()?;
        if let Some(family) = &request.optimizer_config {
            convert::check_family(family)?;
        }
        self.touch(session)?;
        let (record, base) = self.loadable(&path, asked, session).await?;
        let new = NewRun {
            kind: RequestType::LoadWeights,
            session,
            id: &id,
            base,
            spec: &record.adapter,
            user_metadata: request.user_metadata.unwrap_or_default(),
            bytes,
        };
        if let Some((lock, promise)) = self.register(new)? {
            let entry = Entry::new("checkpoint_read").of_checkpoint(&path);
            self.audit.note(entry.for_purpose("training"));
            let (worker, model) = (self.worker(base).clone(), id.clone());
            self.archive
                .run(move |store| match store.load(&path, request.optimizer) {
                    Ok((_, state)) => worker.run(Queue::Front, move |backend| {
                        let lock = lock;
                        let made = import(backend, &state, &path, &model).map_err(Failure::from);
                        settle_creation(&lock, promise, made);
                    }),
                    Err(failed) => settle_creation(&lock, promise, Err(failed.into())),
                });
        }
        let promise = RequestId::of_model(&id, 0);
        Ok((id, promise))
    }

    /// The record of a checkpoint that the owner of a session may read, and that fits a base model which is served:
    /// `asked`, if given.
    pub(super) async fn loadable(
        &self,
        path: &CheckpointPath,
        asked: Option<BaseId>,
        session: &SessionId,
    ) -> Result<(Record, BaseId), Refusal> {
        let (path, tenant) = (path.clone(), self.tenant_of(session)?);
        let found = self.archive.ask(move |store| {
            store.check_access(&path, &tenant, Access::Read)?;
            store.find(&path).cloned()
        });
        let record = found.await?;
        record.check_loadable()?;
        let base = asked.or_else(|| self.find_base(&record.base_model));
        let served: Vec<&str> = match base {
            Some(base) => vec![&self.info(base).name],
            None => self.models().map(|info| info.name.as_str()).collect(),
        };
        record.check_base_model(&served.join(", "))?;
        let base = base.ok_or_else(|| Refusal::invalid("base_model: is not served here"))?;
        record.check_base_weights(self.info(base).fingerprint.as_deref())?;
        Ok((record, base))
    }
}

/// The path of a checkpoint.
pub(super) fn adapter_path(field: &str, text: &str) -> Result<CheckpointPath, Refusal> {
    text.parse()
        .map_err(|e: InvalidValue| Refusal::from(e.within(field)))
}

/// Replaces the adapter of a model by one from a checkpoint.
fn load(path: CheckpointPath, with_optimizer: bool, tenant: Tenant) -> Run {
    Box::new(move |context| {
        let (model, lock, promise) = (context.model, context.lock, context.promise);
        let operations = context.operations;
        let worker = operations.worker(context.base).clone();
        let info = operations.info(context.base);
        let (base_model, fingerprint) = (info.name.clone(), info.fingerprint.clone());
        operations.archive.run(move |store| {
            promise.mark_running();
            let state = match store
                .check_access(&path, &tenant, Access::Read)
                .and_then(|()| store.load(&path, with_optimizer))
                .and_then(|(record, state)| {
                    record.check_loadable()?;
                    record.check_base_model(&base_model)?;
                    record.check_base_weights(fingerprint.as_deref())?;
                    Ok(state)
                }) {
                Ok(state) => state,
                Err(failed) => return promise.fail(failed),
            };
            worker.run(Queue::Training, move |backend| {
                let outcome = import(backend, &state, &path, &model).map(|(adapter, payload)| {
                    lock.set_adapter(adapter);
                    lock.with_operations(|operations| {
                        if let Some(model) = operations.registry().model_at_work(&model) {
                            model.spec = state.spec.clone();
                        }
                        let rank = state.spec.rank;
                        let mut catalog = operations.catalog();
                        catalog.change_run(&model, |run| run.lora_rank = rank);
                        let entry = Entry::new("checkpoint_read").of_checkpoint(&path);
                        operations.audit.note(entry.for_purpose("training"));
                    });
                    payload
                });
                promise.settle(outcome.map_err(Failure::from));
            });
        });
    })
}

/// Makes an adapter from a checkpoint, with the result to answer.
fn import(
    backend: &mut dyn Backend,
    state: &AdapterState,
    path: &CheckpointPath,
    model: &ModelId,
) -> Result<(AdapterId, Payload), BackendError> {
    let adapter = backend.import(state)?;
    let loaded = WeightsLoaded::new(path.to_string(), model.clone());
    Ok((adapter, Payload::json(&loaded)))
}
