//! State behind the requests of one engine.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::Behavior;
use crate::sign::Signer;
use crate::state::{Copies, Intake};
use crate::tenant::AcceptedKeys;
use crate::work::Operations;

/// State that all requests to one engine share.
pub(crate) struct Shared {
    pub(crate) operations: Arc<Operations>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) signer: Signer,
    pub(crate) keys: AcceptedKeys,
    pub(crate) copies: Copies,
    /// The data folder is removed when the engine stops.
    pub(crate) is_temporary: bool,
    /// Notified when the behavior has changed.
    pub(crate) behavior_changed: Notify,
    behavior: Mutex<Behavior>,
}

impl Shared {
    pub(crate) fn new(
        operations: Operations,
        behavior: Behavior,
        is_temporary: bool,
        signer: Signer,
        keys: AcceptedKeys,
    ) -> Self {
        Self {
            intake: Intake::new(&operations.limits),
            operations: Arc::new(operations),
            signer,
            keys,
            copies: Copies::default(),
            is_temporary,
            behavior_changed: Notify::new(),
            behavior: Mutex::new(behavior),
        }
    }

    pub(crate) fn behavior(&self) -> MutexGuard<'_, Behavior> {
        self.behavior.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
