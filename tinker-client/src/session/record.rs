//! One session of a client.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::Timestamp;
use tinker_types::{ModelId, SessionId};
use tokio::sync::OnceCell;

use crate::custom_loss::registry::Losses;
use crate::error::{LostCause, SessionEnd};

/// One session of a client, from before its opening to its end or loss. A client has one at a time.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(super) id: OnceCell<SessionId>,
    models: AtomicU64,
    samplers: AtomicU64,
    /// Custom losses registered with the session.
    pub(crate) losses: Losses,
    /// Models that were not released, and whether they are kept after their clients are dropped.
    own_models: Mutex<BTreeMap<ModelId, bool>>,
    /// Whether a heartbeat was started.
    is_kept: AtomicBool,
    /// Set by the first heartbeat that the server accepts.
    has_heartbeats: AtomicBool,
    end: OnceLock<SessionEnd>,
    /// Set once the server has confirmed the end of the session.
    pub(crate) finished: OnceCell<()>,
}

impl Session {
    /// The session of another client.
    pub(crate) fn foreign(id: SessionId) -> Self {
        Self {
            id: OnceCell::new_with(Some(id)),
            ..Self::default()
        }
    }

    /// The id, once the session is open.
    pub(crate) fn id(&self) -> Option<&SessionId> {
        self.id.get()
    }

    /// Whether the caller is the first to start the heartbeat.
    pub(super) fn starts_heartbeat(&self) -> bool {
        !self.is_kept.swap(true, Ordering::Relaxed)
    }

    /// Number of the next model of the session.
    pub(crate) fn next_model(&self) -> u64 {
        self.models.fetch_add(1, Ordering::Relaxed)
    }

    /// Number of the next sampler of the session.
    pub(crate) fn next_sampler(&self) -> u64 {
        self.samplers.fetch_add(1, Ordering::Relaxed)
    }

    /// Records a heartbeat that the server accepted.
    pub(crate) fn note_heartbeat(&self) {
        self.has_heartbeats.store(true, Ordering::Relaxed);
    }

    /// Whether the server is known to have heartbeats.
    pub(crate) fn has_heartbeats(&self) -> bool {
        self.has_heartbeats.load(Ordering::Relaxed)
    }

    /// The end, if the session is lost.
    pub(crate) fn end(&self) -> Option<&SessionEnd> {
        self.end.get()
    }

    /// Records the loss of the session and warns, the first time.
    pub(crate) fn lose(&self, cause: LostCause) {
        let Some(session) = self.id.get().cloned() else {
            return;
        };
        let end = SessionEnd {
            session,
            cause,
            at: Timestamp::now(),
        };
        if self.end.set(end.clone()).is_ok() {
            self.own_models().clear();
            tracing::warn!(
                "{end}; samplers of base models and checkpoints are made again when they are used, training goes on \
                 from a checkpoint with TrainingClient::renew"
            );
        }
    }

    pub(crate) fn add_model(&self, model: ModelId) {
        self.own_models().insert(model, false);
    }

    /// Keeps a model when its clients are dropped and the session is closed.
    pub(crate) fn keep_model(&self, model: &ModelId) {
        if let Some(is_kept) = self.own_models().get_mut(model) {
            *is_kept = true;
        }
    }

    /// Keeps no model.
    pub(crate) fn keep_no_model(&self) {
        self.own_models()
            .values_mut()
            .for_each(|is_kept| *is_kept = false);
    }

    /// Takes a model that is not kept. Returns false if there is none.
    pub(crate) fn release_model(&self, model: &ModelId) -> bool {
        let mut models = self.own_models();
        models.get(model) == Some(&false) && models.remove(model).is_some()
    }

    /// Takes all models that are not kept.
    pub(crate) fn release_models(&self) -> Vec<ModelId> {
        let mut models = self.own_models();
        let released = models.extract_if(.., |_, is_kept| !*is_kept);
        released.map(|(model, _)| model).collect()
    }

    /// Forgets a model that the server has released.
    pub(crate) fn forget_model(&self, model: &ModelId) {
        self.own_models().remove(model);
    }

    /// Forgets all models, which the server has released.
    pub(crate) fn forget_models(&self) {
        self.own_models().clear();
    }

    /// Models that were not released, and whether they are kept.
    pub(crate) fn loaded_models(&self) -> Vec<(ModelId, bool)> {
        let models = self.own_models();
        models
            .iter()
            .map(|(model, is_kept)| (model.clone(), *is_kept))
            .collect()
    }

    fn own_models(&self) -> MutexGuard<'_, BTreeMap<ModelId, bool>> {
        self.own_models
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
