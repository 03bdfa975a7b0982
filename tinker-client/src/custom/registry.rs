//! The losses of one session.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tinker_types::{Graph, GraphInput, InvalidValue};

/// What tells two losses apart: inputs and graph, as they travel.
type Key = Vec<u8>;

/// Losses that a session has, so that each is sent once.
#[derive(Debug, Default)]
pub(crate) struct Losses(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    known: HashSet<Key>,
}

/// A place among a session's losses.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) number: u64,
    key: Key,
}

impl Losses {
    /// The next place; refused to a loss that has one.
    pub(crate) fn add(
        &self,
        name: &str,
        inputs: &[GraphInput],
        graph: &Graph,
    ) -> Result<Place, InvalidValue> {
        let refuse = |why: String| InvalidValue::new("loss", why);
        let key = serde_json::to_vec(&(inputs, graph))
            .map_err(|error| refuse(format!("{name} cannot be written as JSON: {error}")))?;
        let mut state = self.state();
        if !state.known.insert(key.clone()) {
            let why = format!("{name} is a loss that this session has; reuse its handle");
            return Err(refuse(why));
        }
        let number = state.next;
        state.next += 1;
        Ok(Place { number, key })
    }

    /// A loss that the server did not take may be tried again.
    pub(crate) fn forget(&self, place: &Place) {
        self.state().known.remove(&place.key);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
