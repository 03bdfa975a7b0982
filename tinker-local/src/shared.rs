//! What all requests and threads of one engine share.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tinker_types::{ModelId, RequestId, SessionId, SessionStatus};
use tokio::sync::Notify;

use crate::audit::{AuditTrail, Entry};
use crate::backend::{AdapterId, ModelInfo};
use crate::note::SessionNote;
use crate::served::{BaseId, Served};
use crate::sign::Signer;
use crate::state::{Catalog, Copies, Failure, Intake, Model, Promises, Registry};
use crate::store::{Archive, Store};
use crate::usage::Ledger;
use crate::work::{Begin, Lane, Operation, Turn, Worker};
use crate::{Behavior, Limits, clock};

/// An adapter, and the base model it adapts.
type OnAdapter = (BaseId, AdapterId);

/// Everything behind the requests of one engine.
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) intake: Arc<Intake>,
    /// Never empty.
    served: Vec<Served>,
    pub(crate) promises: Arc<Promises>,
    pub(crate) archive: Archive,
    pub(crate) audit: Arc<AuditTrail>,
    pub(crate) usage: Arc<Ledger>,
    pub(crate) signer: Signer,
    pub(crate) copies: Copies,
    /// Checkpoints go when the engine goes.
    pub(crate) is_temporary: bool,
    /// The behavior has changed.
    pub(crate) behaves: Notify,
    behavior: Mutex<Behavior>,
    registry: Mutex<Registry<Operation>>,
    catalog: Mutex<Catalog>,
    archive_thread: Option<JoinHandle<()>>,
}

impl Shared {
    pub(crate) fn new(
        limits: Limits,
        behavior: Behavior,
        served: Vec<Served>,
        (store, is_temporary): (Store, bool),
        signer: Signer,
    ) -> io::Result<Self> {
        let audit = Arc::new(AuditTrail::default());
        let catalog = Catalog::of(store.origins());
        let (archive, thread) = Archive::start(store.with_audit(Arc::clone(&audit)))?;
        Ok(Self {
            promises: Promises::new(limits.clone()),
            intake: Intake::new(&limits),
            limits,
            served,
            archive,
            audit,
            usage: Arc::default(),
            signer,
            copies: Copies::default(),
            is_temporary,
            behaves: Notify::new(),
            behavior: Mutex::new(behavior),
            registry: Mutex::new(Registry::new()),
            catalog: Mutex::new(catalog),
            archive_thread: Some(thread),
        })
    }

    /// The base models, in the order they were given.
    pub(crate) fn models(&self) -> impl Iterator<Item = &ModelInfo> {
        self.served.iter().map(|served| &served.info)
    }

    /// The base model of this name.
    pub(crate) fn base(&self, name: &str) -> Option<BaseId> {
        self.models().position(|info| info.name == name).map(BaseId)
    }

    pub(crate) fn info(&self, base: BaseId) -> &ModelInfo {
        &self.served[base.0].info
    }

    pub(crate) fn worker(&self, base: BaseId) -> &Worker {
        &self.served[base.0].worker
    }

    /// Drops a sampling request that was cancelled, whichever model it is of.
    pub(crate) fn cancel_sample(&self, id: &RequestId) {
        for served in &self.served {
            served.worker.cancel(id.clone());
        }
    }

    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry<Operation>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn behavior(&self) -> MutexGuard<'_, Behavior> {
        self.behavior.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the operation of a model whose turn it is, if there is one.
    pub(crate) fn start_next(self: &Arc<Self>, id: &ModelId) {
        while let Some((operation, ready)) = self.take_next(id) {
            match ready {
                Ok((base, adapter)) => {
                    let turn = Turn::new(self, id.clone(), base);
                    let Operation { act, fulfil, span } = operation;
                    let inside = span.clone();
                    inside.in_scope(|| {
                        act(Begin {
                            shared: Arc::clone(self),
                            model: id.clone(),
                            base,
                            adapter,
                            turn,
                            fulfil,
                        });
                    });
                    return;
                }
                Err(fault) => {
                    operation.fulfil.fail(fault);
                    if let Some(model) = self.registry().model_at_work(id) {
                        model.sequence.finish();
                    }
                }
            }
        }
    }

    /// The operation whose turn it is, with the adapter it runs on or the reason why it can't. A model with nothing
    /// left to start goes if its session has ended.
    fn take_next(&self, id: &ModelId) -> Option<(Operation, Result<OnAdapter, Failure>)> {
        let mut registry = self.registry();
        let model = registry.model_at_work(id)?;
        if let Some(operation) = model.sequence.start() {
            let ready = match (&model.fault, model.adapter) {
                (Some(fault), _) => Err(fault.clone()),
                (None, Some(adapter)) => Ok((model.base, adapter)),
                (None, None) => Err(Failure::server("the model was never made")),
            };
            return Some((operation, ready));
        }
        if model.is_ending && !model.sequence.is_busy() {
            let ended = registry.remove_model(id);
            drop(registry);
            self.forget(ended);
        }
        None
    }

    /// Gives a model the adapter that was made for it; the one it had goes.
    pub(crate) fn set_adapter(&self, id: &ModelId, base: BaseId, adapter: AdapterId) {
        let superseded = match self.registry().model_at_work(id) {
            Some(model) => (model.base, model.adapter.replace(adapter)),
            None => (base, Some(adapter)),
        };
        self.remove_adapter(superseded);
    }

    /// Nothing can be done with this model any more.
    pub(crate) fn break_model(&self, id: &ModelId, fault: Failure) {
        if let Some(model) = self.registry().model_at_work(id) {
            model.fault = Some(fault);
        }
    }

    /// Ends a session and frees what belongs to it.
    pub(crate) fn end_session(&self, session: &SessionId, status: SessionStatus) {
        let ended = self.registry().end(session);
        self.forget(ended);
        self.audit
            .note(Entry::new("session_finished").with_detail("session_id", session.as_str()));
        self.change_session(session, |note| note.status = status);
    }

    /// Changes what is known of a session, here and beside the checkpoints of its runs. Says whether it is known.
    pub(crate) fn change_session(
        &self,
        session: &SessionId,
        change: impl FnOnce(&mut SessionNote),
    ) -> bool {
        let Some(origins) = self.catalog().change_session(session, change) else {
            return false;
        };
        self.archive.run(move |store| {
            for origin in &origins {
                store.try_keep_origin(origin);
            }
        });
        true
    }

    /// Lets a model go with its last operation.
    pub(crate) fn unload(&self, model: &ModelId) {
        let idle = self.registry().unload(model);
        self.forget(idle);
    }

    /// Frees models whose session has ended. What waits for an operation that never came will not be done.
    fn forget(&self, models: impl IntoIterator<Item = Model<Operation>>) {
        for model in models {
            self.remove_adapter((model.base, model.adapter));
            for operation in model.sequence.into_waiting() {
                let why =
                    "the session ended before the operations that come before this one had arrived";
                operation.fulfil.fail(Failure::user(why));
            }
        }
    }

    /// Ends the sessions nobody has been heard of for too long.
    pub(crate) fn end_silent_sessions(&self) {
        let silent = self
            .registry()
            .silent(clock::now(), self.limits.session_timeout);
        for session in silent {
            tracing::info!(%session, "the session ends: nothing was heard of it for too long");
            let detail = Some("nothing was heard of it for too long".to_owned());
            self.end_session(&session, SessionStatus::Cancelled { detail });
        }
    }

    fn remove_adapter(&self, (base, adapter): (BaseId, Option<AdapterId>)) {
        if let Some(adapter) = adapter {
            self.worker(base)
                .run(Lane::Front, move |backend| backend.remove(adapter));
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for served in &self.served {
            served.worker.stop();
        }
        self.archive.stop();
        // Waits for the write under way, so that the folder is free, or gone if it was a temporary one. The last
        // handle may go on that very thread, which can't wait for itself.
        if let Some(thread) = self.archive_thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ended = thread.join();
        }
    }
}
