//! A model in training.

use std::sync::{Arc, Mutex};

use tinker_types::SessionId;

use super::{Failure, Sequence};
use crate::backend::{AdapterId, AdapterSpec, SampleWeights};
use crate::served::BaseId;

/// A model in training, with the operations `T` that wait for their turn on it.
#[derive(Debug)]
pub(crate) struct Model<T> {
    pub(crate) session: SessionId,
    pub(crate) spec: AdapterSpec,
    /// The base model it adapts.
    pub(crate) base: BaseId,
    pub(crate) sequence: Sequence<T>,
    /// Set once the engine has made it.
    pub(crate) adapter: Option<AdapterId>,
    /// Why nothing can be done with it any more.
    pub(crate) fault: Option<Failure>,
    /// Its session has ended: it goes as soon as nothing is left that could start.
    pub(crate) is_ending: bool,
    /// Weights its in-flight samplers share.
    pub(crate) inflight: Option<Arc<Mutex<SampleWeights>>>,
}

impl<T> Model<T> {
    /// A model that is being made: operations wait until it is.
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
