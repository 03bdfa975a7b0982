//! Byte budgets.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes per permit; keeps any budget within the 32 bits of a semaphore.
const UNIT: u64 = 1024;

/// A budget of bytes, granted in order. A request for more than the whole budget takes all of it instead of blocking
/// forever.
#[derive(Debug)]
pub(crate) struct ByteBudget {
    left: Arc<Semaphore>,
    units: u32,
}

impl ByteBudget {
    pub(crate) fn new(bytes: u64) -> Self {
        let units = units(bytes).max(1);
        Self {
            left: Arc::new(Semaphore::new(units as usize)),
            units,
        }
    }

    /// Waits for `bytes`; they return to the budget when the permit is dropped.
    pub(crate) async fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed, so this is always a permit.
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
        let budget = ByteBudget::new(10 * UNIT);
        let held = budget.take(6 * UNIT).await;
        let mut waiting = task::spawn(budget.take(5 * UNIT));
        assert_pending!(waiting.poll());
        drop(held);
        assert!(assert_ready!(waiting.poll()).is_some());
    }

    #[tokio::test]
    async fn what_is_too_large_takes_all_and_nothing_is_free() {
        let budget = ByteBudget::new(10 * UNIT);
        let held = budget.take(u64::MAX).await;
        let mut waiting = task::spawn(budget.take(1));
        assert_pending!(waiting.poll());
        drop(held);
        assert_ready!(waiting.poll());
        assert!(ByteBudget::new(0).take(5).await.is_some());
    }
}
