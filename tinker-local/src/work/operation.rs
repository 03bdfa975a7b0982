//! An operation that waits for its turn on a model.

use std::fmt;
use std::sync::{Arc, Weak};

use tinker_types::ModelId;
use tracing::Span;

use crate::backend::AdapterId;
use crate::served::BaseId;
use crate::shared::Shared;
use crate::state::{Failure, Fulfil};

/// What an operation does when its turn comes. It must not take long itself: it hands its work to a thread.
pub(crate) type Act = Box<dyn FnOnce(Begin) + Send>;

/// An operation that waits for its turn on a model.
pub(crate) struct Operation {
    pub(crate) act: Act,
    pub(crate) fulfil: Fulfil,
    pub(crate) span: Span,
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("id", self.fulfil.id())
            .finish_non_exhaustive()
    }
}

/// What an operation gets when its turn comes.
pub(crate) struct Begin {
    pub(crate) shared: Arc<Shared>,
    pub(crate) model: ModelId,
    pub(crate) base: BaseId,
    pub(crate) adapter: AdapterId,
    pub(crate) turn: Turn,
    pub(crate) fulfil: Fulfil,
}

/// A model's turn. When it is dropped, the next operation starts; when it is dropped by a panic, nothing is known
/// about the model's state any more and its later operations fail.
pub(crate) struct Turn {
    shared: Weak<Shared>,
    model: ModelId,
    base: BaseId,
}

impl Turn {
    pub(crate) fn new(shared: &Arc<Shared>, model: ModelId, base: BaseId) -> Self {
        Self {
            shared: Arc::downgrade(shared),
            model,
            base,
        }
    }

    /// Gives the model the adapter that was made in this turn.
    pub(crate) fn set_adapter(&self, adapter: AdapterId) {
        if let Some(shared) = self.shared.upgrade() {
            shared.set_adapter(&self.model, self.base, adapter);
        }
    }

    /// Makes the model's later operations fail.
    pub(crate) fn break_model(&self, fault: Failure) {
        if let Some(shared) = self.shared.upgrade() {
            shared.break_model(&self.model, fault);
        }
    }

    /// Runs `change` on what the engine shares, if it is still there.
    pub(crate) fn with_shared<R>(&self, change: impl FnOnce(&Arc<Shared>) -> R) -> Option<R> {
        self.shared.upgrade().as_ref().map(change)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        if std::thread::panicking() {
            let why = "an earlier operation crashed the engine, so this model's state is unknown; \
                       load its last checkpoint into a new model";
            shared.break_model(&self.model, Failure::server(why));
        }
        if let Some(model) = shared.registry().model_at_work(&self.model) {
            model.sequence.finish();
        }
        shared.start_next(&self.model);
    }
}
