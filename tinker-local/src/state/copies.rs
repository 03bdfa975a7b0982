//! Copies of checkpoints by idempotency key, so that a repeated request makes no second copy.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tinker_types::CheckpointPath;
use tokio::sync::OnceCell;

/// Most remembered keys.
const REMEMBERED: usize = 1024;

/// Path of a copy, once it is made.
pub(crate) type Copied = Arc<OnceCell<CheckpointPath>>;

/// Copies by idempotency key.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    known: Mutex<(HashMap<String, Copied>, VecDeque<String>)>,
}

impl Copies {
    /// The copy for a key, which may not be made yet.
    pub(crate) fn of(&self, key: &str) -> Copied {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (copies, order) = &mut *known;
        if let Some(copy) = copies.get(key) {
            return Arc::clone(copy);
        }
        if order.len() == REMEMBERED
            && let Some(oldest) = order.pop_front()
        {
            copies.remove(&oldest);
        }
        order.push_back(key.to_owned());
        Arc::clone(copies.entry(key.to_owned()).or_default())
    }
}
