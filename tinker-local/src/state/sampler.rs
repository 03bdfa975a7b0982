//! A set of weights to sample from.

use std::sync::{Arc, Mutex, PoisonError};

use tinker_types::{CheckpointPath, SamplingSessionId, SessionId};

use crate::backend::SampleWeights;
use crate::served::BaseId;

/// The weights of a sampler.
#[derive(Debug, Clone)]
pub(crate) enum Weights {
    /// They stay as they are.
    Fixed(SampleWeights),
    /// They follow the model's later in-flight saves.
    Following(Arc<Mutex<SampleWeights>>),
}

impl Weights {
    /// Weights that follow those in `cell`, which `newest` replaces now.
    pub(crate) fn following(
        cell: &mut Option<Arc<Mutex<SampleWeights>>>,
        newest: SampleWeights,
    ) -> Self {
        let cell = cell.get_or_insert_with(|| Arc::new(Mutex::new(SampleWeights::Base)));
        *cell.lock().unwrap_or_else(PoisonError::into_inner) = newest;
        Self::Following(Arc::clone(cell))
    }

    /// The weights as of now.
    pub(crate) fn current(&self) -> SampleWeights {
        match self {
            Self::Fixed(weights) => weights.clone(),
            Self::Following(cell) => cell.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// A set of weights to sample from, under an id.
#[derive(Debug, Clone)]
pub(crate) struct Sampler {
    pub(crate) session: SessionId,
    /// The base model of the weights.
    pub(crate) base: BaseId,
    pub(crate) weights: Weights,
    /// The checkpoint it was made from.
    pub(crate) path: Option<CheckpointPath>,
    /// Copies in other processes that were given a number.
    pub(crate) copies: u64,
}

impl Sampler {
    /// The id of a session's sampler. It follows from the session and the number, so that a repeated request is the
    /// same.
    pub(crate) fn id(session: &SessionId, number: u64) -> SamplingSessionId {
        SamplingSessionId::from(format!("{session}:sample:{number}"))
    }
}
