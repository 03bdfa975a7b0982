//! Pool of clients, each with its own connections.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::mutex::lock;

/// Idle clients to keep, with their open connections.
const SPARE: usize = 8;

/// Clients of one class. Each serves at most `per_client` requests at a time, and fewer if its server says so; when all
/// are busy, another is created.
/// With HTTP/2, where a client is one connection, this keeps long polls and large uploads from blocking one another.
#[derive(Debug)]
pub(super) struct Pool<C> {
    per_client: usize,
    slots: Mutex<Vec<Arc<Slot<C>>>>,
}

#[derive(Debug)]
struct Slot<C> {
    client: C,
    busy: AtomicUsize,
    limit: AtomicUsize,
    is_retired: AtomicBool,
}

/// A client for one request, returned to the pool on drop.
#[derive(Debug)]
pub(super) struct Lease<C> {
    slot: Arc<Slot<C>>,
    pool: Arc<Pool<C>>,
}

impl<C> Pool<C> {
    pub(super) fn new(per_client: usize) -> Self {
        Self {
            per_client,
            slots: Mutex::default(),
        }
    }

    /// A client with capacity for one more request, created by `make` if there is none. A new one serves at most `most`
    /// requests until [`Lease::allow`] is called.
    pub(super) fn lease<E>(
        self: &Arc<Self>,
        most: usize,
        make: impl FnOnce() -> Result<C, E>,
    ) -> Result<Lease<C>, E> {
        let mut slots = lock(&self.slots);
        // The first with capacity, so that later ones become idle and are closed when traffic shrinks.
        let slot = if let Some(slot) = slots
            .iter()
            .find(|slot| slot.busy.load(Ordering::Relaxed) < slot.limit.load(Ordering::Relaxed))
        {
            Arc::clone(slot)
        } else {
            let slot = Slot {
                client: make()?,
                busy: AtomicUsize::new(0),
                limit: self.per_client.min(most).into(),
                is_retired: AtomicBool::new(false),
            };
            slots.push(Arc::new(slot));
            Arc::clone(&slots[slots.len() - 1])
        };
        slot.busy.fetch_add(1, Ordering::Relaxed);
        Ok(Lease {
            slot,
            pool: Arc::clone(self),
        })
    }
}

impl<C> Lease<C> {
    pub(super) fn client(&self) -> &C {
        &self.slot.client
    }

    /// Sets the number of requests that this client serves at a time, within that of its class.
    pub(super) fn allow(&self, requests: usize) {
        let limit = self.pool.per_client.min(requests);
        self.slot.limit.store(limit, Ordering::Relaxed);
    }

    /// Excludes this client from further requests; its connections close when the last one ends.
    pub(super) fn retire(&self) {
        if !self.slot.is_retired.swap(true, Ordering::Relaxed) {
            lock(&self.pool.slots).retain(|slot| !Arc::ptr_eq(slot, &self.slot));
        }
    }
}

impl<C> Drop for Lease<C> {
    fn drop(&mut self) {
        let mut slots = lock(&self.pool.slots);
        if self.slot.busy.fetch_sub(1, Ordering::Relaxed) == 1 {
            let idle = slots
                .iter()
                .filter(|slot| slot.busy.load(Ordering::Relaxed) == 0)
                .count();
            if idle > SPARE {
                slots.retain(|slot| !Arc::ptr_eq(slot, &self.slot));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn numbers(pool: &Arc<Pool<usize>>, made: &AtomicUsize, n: usize) -> Vec<Lease<usize>> {
        let make = || Ok::<_, Infallible>(made.fetch_add(1, Ordering::Relaxed));
        (0..n)
            .map(|_| pool.lease(usize::MAX, make).unwrap())
            .collect()
    }

    fn clients(leases: &[Lease<usize>]) -> Vec<usize> {
        leases.iter().map(|lease| *lease.client()).collect()
    }

    #[test]
    fn clients_are_filled_one_after_another_and_used_again() {
        let (pool, made) = (Arc::new(Pool::new(2)), AtomicUsize::new(0));
        let mut leases = numbers(&pool, &made, 5);
        assert_eq!(clients(&leases), [0, 0, 1, 1, 2]);
        leases.remove(0);
        assert_eq!(clients(&numbers(&pool, &made, 1)), [0]);
        drop(leases);
        assert_eq!(clients(&numbers(&pool, &made, 2)), [0, 0]);
    }

    #[test]
    fn a_client_serves_what_its_server_allows_within_the_limit_of_its_class() {
        let (pool, made) = (Arc::new(Pool::new(5)), AtomicUsize::new(0));
        let make = || Ok::<_, Infallible>(made.fetch_add(1, Ordering::Relaxed));
        let first = [(); 3].map(|()| pool.lease(2, make).unwrap());
        assert_eq!(clients(&first), [0, 0, 1]);
        first[0].allow(3);
        first[2].allow(100);
        assert_eq!(clients(&numbers(&pool, &made, 6)), [0, 1, 1, 1, 1, 2]);
    }

    #[test]
    fn a_retired_client_gets_no_more_requests() {
        let (pool, made) = (Arc::new(Pool::new(2)), AtomicUsize::new(0));
        let first = numbers(&pool, &made, 1).remove(0);
        first.retire();
        first.retire();
        assert_eq!(clients(&numbers(&pool, &made, 1)), [1]);
        assert_eq!(*first.client(), 0, "what is under way goes on");
    }

    #[test]
    fn few_idle_clients_are_kept() {
        let (pool, made) = (Arc::new(Pool::new(1)), AtomicUsize::new(0));
        drop(numbers(&pool, &made, 50));
        assert_eq!(lock(&pool.slots).len(), SPARE);
    }
}
