//! Bytes that may be under way at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes counted as one permit, so that any budget fits the semaphore's 32 bits.
const UNIT: u64 = 1024;

/// A budget of bytes, handed out in order. What is larger than the whole budget takes all of it
/// instead of waiting for ever.
#[derive(Debug)]
pub(crate) struct Budget {
    left: Arc<Semaphore>,
    units: u32,
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        let units = units(bytes).max(1);
        Self {
            left: Arc::new(Semaphore::new(units as usize)),
            units,
        }
    }

    /// Waits for `bytes`. They return when the permit is dropped.
    pub(crate) async fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed, so the only answer is a permit.
        Arc::clone(&self.left)
            .acquire_many_owned(units(bytes).min(self.units))
            .await
            .ok()
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT))
        .unwrap_or(u32::MAX >> 4)
        .min(u32::MAX >> 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_test::{assert_pending, assert_ready, task};

    #[tokio::test]
    async fn a_taker_waits_until_bytes_return() {
        let budget = Budget::new(10 * UNIT);
        let held = budget.take(6 * UNIT).await;
        let mut waiting = task::spawn(budget.take(5 * UNIT));
        assert_pending!(waiting.poll());
        drop(held);
        assert!(assert_ready!(waiting.poll()).is_some());
    }

    #[tokio::test]
    async fn what_is_too_large_takes_all_and_nothing_is_free() {
        let budget = Budget::new(10 * UNIT);
        let held = budget.take(u64::MAX).await;
        let mut waiting = task::spawn(budget.take(1));
        assert_pending!(waiting.poll());
        drop(held);
        assert_ready!(waiting.poll());
        assert!(Budget::new(0).take(5).await.is_some());
    }
}
