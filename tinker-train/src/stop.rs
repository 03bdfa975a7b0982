//! The request to stop a run in an orderly way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Request to stop, which clones share. A run stops after the steps in flight, and saves a checkpoint.
#[derive(Debug, Clone, Default)]
pub struct StopFlag {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    requested: AtomicBool,
    notify: Notify,
}

impl StopFlag {
    /// Requests the stop. Repeats have no effect.
    pub fn request(&self) {
        self.shared.requested.store(true, Ordering::Release);
        self.shared.notify.notify_waiters();
    }

    /// Whether a stop was requested.
    pub fn is_requested(&self) -> bool {
        self.shared.requested.load(Ordering::Acquire)
    }

    /// Waits until a stop is requested. Cancel-safe.
    pub async fn requested(&self) {
        let mut notified = std::pin::pin!(self.shared.notify.notified());
        // Registered before the flag is read, so that a request in between is not missed.
        notified.as_mut().enable();
        if !self.is_requested() {
            notified.await;
        }
    }
}
