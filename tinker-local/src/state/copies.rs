//! Copies of checkpoints by the key of their request, so that a repeated request makes no second copy.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tinker_types::CheckpointPath;
use tokio::sync::OnceCell;

/// Keys remembered.
const REMEMBERED: usize = 1024;

/// Where the copy of a request is, once it is made.
pub(crate) type Copied = Arc<OnceCell<CheckpointPath>>;

/// Copies by the key of their request.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    known: Mutex<(HashMap<String, Copied>, VecDeque<String>)>,
}

impl Copies {
    /// The copy of this key, which may have to be made yet.
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
