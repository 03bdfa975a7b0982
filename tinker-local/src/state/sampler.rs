//! Samplers.

use std::sync::{Arc, Mutex, PoisonError};

use tinker_types::{CheckpointPath, SessionId};

use super::model::BaseId;
use crate::shelf::Kept;

/// The weights of a sampler.
#[derive(Debug, Clone)]
pub(crate) enum Weights {
    /// They never change.
    Fixed(Option<Arc<Kept>>),
    /// They follow the model's later in-flight saves.
    Following(Arc<Mutex<Option<Arc<Kept>>>>),
}

impl Weights {
    /// Replaces the weights in `cell` by `newest` and returns weights that follow the cell.
    pub(crate) fn following(
        cell: &mut Option<Arc<Mutex<Option<Arc<Kept>>>>>,
        newest: Option<Arc<Kept>>,
    ) -> Self {
        let cell = cell.get_or_insert_with(|| Arc::new(Mutex::new(None)));
        *cell.lock().unwrap_or_else(PoisonError::into_inner) = newest;
        Self::Following(Arc::clone(cell))
    }

    /// The current weights.
    pub(crate) fn current(&self) -> Option<Arc<Kept>> {
        match self {
            Self::Fixed(weights) => weights.clone(),
            Self::Following(cell) => cell.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// A set of weights to sample from.
#[derive(Debug, Clone)]
pub(crate) struct Sampler {
    pub(crate) session: SessionId,
    /// The base model of the weights.
    pub(crate) base: BaseId,
    pub(crate) weights: Weights,
    /// The checkpoint it was made from.
    pub(crate) path: Option<CheckpointPath>,
    /// Number of copies in other processes.
    pub(crate) copies: u64,
}

impl Sampler {
    pub(crate) fn new(
        session: SessionId,
        base: BaseId,
        weights: Weights,
        path: Option<CheckpointPath>,
    ) -> Self {
        Self {
            session,
            base,
            weights,
            path,
            copies: 0,
        }
    }
}
