//! Refused connections: a server that was not running in between.

use std::error::Error as _;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use tinker_client::transport::{End, Event, TransportError};
use tinker_client::{ClientEvent, ClientObserver};

/// The number of refused connections. A server that refused some was not running in between, and may go on from an older
/// state without an error.
#[derive(Debug, Default)]
pub(super) struct Outages(AtomicU64);

impl Outages {
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl ClientObserver for Outages {
    fn observe(&self, event: &ClientEvent<'_>) {
        if let ClientEvent::Http(Event::Attempt(attempt)) = event
            && let End::Failed(error) = attempt.end
            && is_refused(error)
        {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn is_refused(error: &TransportError) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && error.kind() == io::ErrorKind::ConnectionRefused
        {
            return true;
        }
        cause = error.source();
    }
    false
}
