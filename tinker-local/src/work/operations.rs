//! Sessions, models, promises and workers of one engine, and the operations that run on its models.
//!
//! A queued operation runs inside the value that queued it, so the types of both live in this file.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;

use tinker_engine::backend::{AdapterId, Backend, BaseModelInfo};
use tinker_types::{ModelId, RequestId, SessionId};
use tracing::Span;

use super::message::Queue;
use super::served::Served;
use super::worker::Worker;
use crate::Limits;
use crate::audit::AuditTrail;
use crate::note::SessionNote;
use crate::refusal::Refusal;
use crate::shelf::Shelf;
use crate::state::{
    Absent, BaseId, Catalog, Failure, Model, PromiseWriter, Promises, Registry, Uploads,
};
use crate::store::{Archive, Store};
use crate::substitute::Substitutes;
use crate::usage::Ledger;

/// An adapter and the base model that it adapts.
type OnAdapter = (BaseId, AdapterId);

/// The state that requests and threads of one engine work on.
pub(crate) struct Operations {
    pub(crate) limits: Limits,
    /// Never empty.
    served: Vec<Served>,
    registry: Mutex<Registry<Operation>>,
    catalog: Mutex<Catalog>,
    pub(crate) promises: Arc<Promises>,
    pub(crate) archive: Archive,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) substitutes: Substitutes,
    uploads: Mutex<Uploads>,
    pub(crate) audit: Arc<AuditTrail>,
    pub(crate) usage: Arc<Ledger>,
    archive_thread: Option<JoinHandle<()>>,
}

/// The work of an operation. It must not block: it hands the work to a thread.
pub(crate) type Run = Box<dyn FnOnce(OperationContext) + Send>;

/// An operation that waits for its model.
pub(crate) struct Operation {
    pub(crate) run: Run,
    pub(crate) promise: PromiseWriter,
    pub(crate) span: Span,
}

/// Arguments of a starting operation.
pub(crate) struct OperationContext {
    pub(crate) operations: Arc<Operations>,
    pub(crate) model: ModelId,
    pub(crate) base: BaseId,
    pub(crate) adapter: AdapterId,
    pub(crate) lock: ModelLock,
    pub(crate) promise: PromiseWriter,
}

/// Exclusive use of a model. Dropping it starts the model's next operation. Dropping it during a panic leaves the model
/// in an unknown state, so its later operations fail.
pub(crate) struct ModelLock {
    operations: Weak<Operations>,
    model: ModelId,
    base: BaseId,
}

impl Operations {
    pub(crate) fn new(
        limits: Limits,
        served: Vec<Served>,
        store: Store,
        shelf: Arc<Shelf>,
        substitutes: Substitutes,
    ) -> io::Result<Self> {
        let audit = Arc::new(AuditTrail::default());
        let catalog = Catalog::of(store.origins());
        let (archive, thread) = Archive::start(store.with_audit(Arc::clone(&audit)))?;
        Ok(Self {
            promises: Promises::new(limits.clone()),
            limits,
            served,
            registry: Mutex::new(Registry::new()),
            catalog: Mutex::new(catalog),
            archive,
            shelf,
            substitutes,
            uploads: Mutex::default(),
            audit,
            usage: Arc::default(),
            archive_thread: Some(thread),
        })
    }

    /// The base models, in the order they were given.
    pub(crate) fn models(&self) -> impl Iterator<Item = &BaseModelInfo> {
        self.served.iter().map(|served| &served.info)
    }

    pub(crate) fn info(&self, base: BaseId) -> &BaseModelInfo {
        &self.served[base.0].info
    }

    /// The base model of a model in training.
    pub(crate) fn info_of(&self, id: &ModelId) -> Result<&BaseModelInfo, Refusal> {
        let base = self.registry().model_at_work(id).map(|model| model.base);
        let absent = || Refusal::absent("model", id.as_str(), Absent::Unknown);
        base.map(|base| self.info(base)).ok_or_else(absent)
    }

    /// The base model with this name.
    pub(crate) fn base(&self, name: &str) -> Result<BaseId, Refusal> {
        self.find_base(name).ok_or_else(|| {
            let served: Vec<String> = self
                .models()
                .map(|info| format!("{:?}", info.name))
                .collect();
            Refusal::invalid(format!(
                "base_model: {name:?} is not served here; this engine serves {}",
                served.join(", ")
            ))
        })
    }

    pub(crate) fn find_base(&self, name: &str) -> Option<BaseId> {
        self.models().position(|info| info.name == name).map(BaseId)
    }

    pub(crate) fn worker(&self, base: BaseId) -> &Worker {
        &self.served[base.0].worker
    }

    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry<Operation>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn uploads(&self) -> MutexGuard<'_, Uploads> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cancels a sampling request. Returns whether it had not ended before.
    pub(crate) fn cancel_sample(&self, id: &RequestId) -> bool {
        let is_cancelled = self.promises.cancel(id);
        if is_cancelled {
            for served in &self.served {
                served.worker.cancel(id.clone());
            }
        }
        is_cancelled
    }

    /// Starts the next operation of a model if the model is idle and the operation has arrived.
    pub(crate) fn start_next(self: &Arc<Self>, id: &ModelId) {
        while let Some((operation, ready)) = self.take_next(id) {
            match ready {
                Ok((base, adapter)) => {
                    let lock = ModelLock::new(self, id.clone(), base);
                    let Operation { run, promise, span } = operation;
                    span.in_scope(|| {
                        run(OperationContext {
                            operations: Arc::clone(self),
                            model: id.clone(),
                            base,
                            adapter,
                            lock,
                            promise,
                        });
                    });
                    return;
                }
                Err(fault) => {
                    operation.promise.fail(fault);
                    if let Some(model) = self.registry().model_at_work(id) {
                        model.sequence.finish();
                    }
                }
            }
        }
    }

    /// The next operation, with the adapter it runs on or the reason why it cannot run. Removes a model that has
    /// nothing left to start and whose session has ended.
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

    /// Gives a model a new adapter and frees the previous one.
    fn set_adapter(&self, id: &ModelId, base: BaseId, adapter: AdapterId) {
        let superseded = match self.registry().model_at_work(id) {
            Some(model) => (model.base, model.adapter.replace(adapter)),
            None => (base, Some(adapter)),
        };
        self.remove_adapter(superseded);
    }

    /// Makes every later operation of a model fail.
    fn break_model(&self, id: &ModelId, fault: Failure) {
        if let Some(model) = self.registry().model_at_work(id) {
            model.fault = Some(fault);
        }
    }

    /// Changes what is known of a session, in memory and beside the checkpoints of its runs. Returns whether the
    /// session is known.
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

    /// Frees models that have been removed from the registry. Operations still waiting for a predecessor fail.
    pub(super) fn forget(&self, models: impl IntoIterator<Item = Model<Operation>>) {
        for model in models {
            self.remove_adapter((model.base, model.adapter));
            for operation in model.sequence.into_waiting() {
                let why =
                    "the session ended before the operations that come before this one had arrived";
                operation.promise.fail(Failure::user(why));
            }
        }
    }

    fn remove_adapter(&self, (base, adapter): (BaseId, Option<AdapterId>)) {
        if let Some(adapter) = adapter {
            self.worker(base)
                .run(Queue::Front, move |backend| backend.remove(adapter));
        }
    }
}

impl Drop for Operations {
    fn drop(&mut self) {
        for served in &self.served {
            served.worker.stop();
        }
        self.archive.stop();
        // Waits for the write in progress, so that the folder is free afterwards, or removed if it is temporary. The
        // last handle may be dropped on that very thread, which cannot wait for itself.
        if let Some(thread) = self.archive_thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ended = thread.join();
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("id", self.promise.id())
            .finish_non_exhaustive()
    }
}

impl OperationContext {
    /// Queues a task on the engine's thread. Its arguments are dropped in reverse order, the promise before the lock, also
    /// by a panic, after which the model counts as broken.
    pub(super) fn run(
        self,
        task: impl FnOnce(&mut dyn Backend, AdapterId, ModelLock, PromiseWriter) + Send + 'static,
    ) {
        let (adapter, lock, promise) = (self.adapter, self.lock, self.promise);
        let worker = self.operations.worker(self.base);
        worker.run(Queue::Training, move |backend| {
            promise.mark_running();
            task(backend, adapter, lock, promise);
        });
    }
}

impl ModelLock {
    pub(crate) fn new(operations: &Arc<Operations>, model: ModelId, base: BaseId) -> Self {
        Self {
            operations: Arc::downgrade(operations),
            model,
            base,
        }
    }

    /// Gives the model a new adapter.
    pub(crate) fn set_adapter(&self, adapter: AdapterId) {
        self.with_operations(|operations| {
            operations.set_adapter(&self.model, self.base, adapter);
        });
    }

    /// Makes the model's later operations fail.
    pub(crate) fn break_model(&self, fault: Failure) {
        self.with_operations(|operations| operations.break_model(&self.model, fault));
    }

    /// Calls `change` unless the engine is gone.
    pub(crate) fn with_operations(&self, change: impl FnOnce(&Arc<Operations>)) {
        if let Some(operations) = self.operations.upgrade() {
            change(&operations);
        }
    }
}

impl Drop for ModelLock {
    fn drop(&mut self) {
        let Some(operations) = self.operations.upgrade() else {
            return;
        };
        if std::thread::panicking() {
            let why = "an earlier operation crashed the engine, so this model's state is unknown; \
                       load its last checkpoint into a new model";
            operations.break_model(&self.model, Failure::server(why));
        }
        if let Some(model) = operations.registry().model_at_work(&self.model) {
            model.sequence.finish();
        }
        operations.start_next(&self.model);
    }
}
