//! The custom losses of one session.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tinker_types::{Graph, GraphInput, InvalidValue};

/// Identity of a loss: its inputs and graph as JSON.
type Key = Vec<u8>;

/// Losses registered with a session, so that each is sent once.
#[derive(Debug, Default)]
pub(crate) struct Losses(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    known: HashSet<Key>,
}

/// The registration of a loss with a session.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) number: u64,
    key: Key,
}

impl Losses {
    /// Registers a loss; refuses one that is registered already.
    pub(crate) fn add(
        &self,
        name: &str,
        inputs: &[GraphInput],
        graph: &Graph,
    ) -> Result<Registration, InvalidValue> {
        let refuse = |why: String| InvalidValue::new("loss", why);
        let key = serde_json::to_vec(&(inputs, graph))
            .map_err(|error| refuse(format!("{name} cannot be written as JSON: {error}")))?;
        let mut state = self.state();
        if !state.known.insert(key.clone()) {
            let why = format!("{name} is registered with this session already; reuse its handle");
            return Err(refuse(why));
        }
        let number = state.next;
        state.next += 1;
        Ok(Registration { number, key })
    }

    /// Removes a registration that failed, so that it can be repeated.
    pub(crate) fn forget(&self, registration: &Registration) {
        self.state().known.remove(&registration.key);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
