//! Limits over all requests that are being answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::promises::Full;
use crate::Limits;

/// Counts the requests that are being answered, and their bytes.
#[derive(Debug)]
pub(crate) struct Intake {
    requests: AtomicUsize,
    bytes: AtomicUsize,
    most_requests: usize,
    most_bytes: usize,
}

/// The share of one request, returned on drop.
#[derive(Debug)]
pub(crate) struct Admitted {
    intake: Arc<Intake>,
    bytes: usize,
}

impl Intake {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            requests: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            most_requests: limits.requests,
            most_bytes: limits.arriving_bytes,
        })
    }

    /// Admits a request.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Admitted, Full> {
        let admitted = Admitted {
            intake: Arc::clone(self),
            bytes: 0,
        };
        let before = self.requests.fetch_add(1, Ordering::Relaxed);
        if before < self.most_requests {
            return Ok(admitted);
        }
        let most = self.most_requests;
        Err(Full(format!(
            "{most} requests are being answered, which is the most; wait for some of them"
        )))
    }
}

impl Admitted {
    /// Sets the number of bytes that the request holds. A request that is alone always fits.
    pub(crate) fn set(&mut self, bytes: usize) -> Result<(), Full> {
        let had = std::mem::replace(&mut self.bytes, bytes);
        let more = bytes.wrapping_sub(had);
        let all = self
            .intake
            .bytes
            .fetch_add(more, Ordering::Relaxed)
            .wrapping_add(more);
        let most = self.intake.most_bytes;
        if bytes <= had || all <= most || all == bytes {
            return Ok(());
        }
        Err(Full(format!(
            "requests of more than {most} bytes are being received, which is the most; wait for some of them"
        )))
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.intake.requests.fetch_sub(1, Ordering::Relaxed);
        self.intake.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_their_bytes_are_bounded_and_given_back() {
        let mut limits = Limits::default();
        (limits.requests, limits.arriving_bytes) = (2, 100);
        let intake = Intake::new(&limits);
        let mut large = intake.enter().unwrap();
        large.set(150).unwrap();
        let mut second = intake.enter().unwrap();
        assert!(second.set(1).unwrap_err().0.contains("100 bytes"));
        assert!(intake.enter().unwrap_err().0.contains("2 requests"));
        large.set(40).unwrap();
        second.set(60).unwrap();
        assert!(second.set(61).is_err());
        drop((large, second));
        assert_eq!(intake.bytes.load(Ordering::Relaxed), 0);
        assert_eq!(intake.requests.load(Ordering::Relaxed), 0);
        intake.enter().unwrap().set(100).unwrap();
    }
}
