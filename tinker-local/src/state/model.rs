//! Models in training and their base models.

use std::sync::{Arc, Mutex};

use tinker_engine::backend::{AdapterId, AdapterSpec};
use tinker_types::SessionId;

use super::promise::Failure;
use super::sequence::Sequence;
use crate::shelf::Kept;

/// Index of a base model in the list of the models that an engine serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BaseId(pub(crate) usize);

/// A model in training, with its queued operations `T`.
#[derive(Debug)]
pub(crate) struct Model<T> {
    pub(crate) session: SessionId,
    pub(crate) spec: AdapterSpec,
    /// The base model it adapts.
    pub(crate) base: BaseId,
    pub(crate) sequence: Sequence<T>,
    /// Set once the engine has created it.
    pub(crate) adapter: Option<AdapterId>,
    /// Why its operations fail from now on.
    pub(crate) fault: Option<Failure>,
    /// Its session has ended: it is removed as soon as no operation is left that can start.
    pub(crate) is_ending: bool,
    /// Weights that its in-flight samplers share.
    pub(crate) inflight: Option<Arc<Mutex<Option<Arc<Kept>>>>>,
}

impl<T> Model<T> {
    /// A model that is being created: operations wait.
    pub(crate) fn new(session: SessionId, base: BaseId, spec: AdapterSpec) -> Self {
        Self {
            session,
            spec,
            base,
            sequence: Sequence::busy(),
            adapter: None,
            fault: None,
            is_ending: false,
            inflight: None,
        }
    }
}
