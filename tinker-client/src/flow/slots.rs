//! Slots for samples in flight.

use std::sync::{Arc, OnceLock};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The slots of one sampler. Their number is set by the first request for one.
#[derive(Debug, Default)]
pub(crate) struct SampleSlots(OnceLock<Arc<Semaphore>>);

impl SampleSlots {
    /// Waits for one of `most` slots. It is freed when the permit is dropped.
    pub(crate) async fn acquire(&self, most: u64) -> Option<OwnedSemaphorePermit> {
        let slots = || Arc::new(Semaphore::new(most.clamp(1, 1 << 20) as usize));
        let slots = Arc::clone(self.0.get_or_init(slots));
        // The semaphore is never closed, so this is always a permit.
        slots.acquire_owned().await.ok()
    }
}
