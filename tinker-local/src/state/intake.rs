//! What the requests that are being answered hold, all together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Full;
use crate::Limits;

/// The requests that are being answered.
#[derive(Debug)]
pub(crate) struct Intake {
    requests: AtomicUsize,
    bytes: AtomicUsize,
    most_requests: usize,
    most_bytes: usize,
}

/// The part of one request. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
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

    /// Lets a request in.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Held, Full> {
        let held = Held {
            intake: Arc::clone(self),
            bytes: 0,
        };
        let before = self.requests.fetch_add(1, Ordering::Relaxed);
        if before < self.most_requests {
            return Ok(held);
        }
        let most = self.most_requests;
        Err(Full(format!(
            "{most} requests are being answered, which is the most; wait for some of them"
        )))
    }
}

impl Held {
    /// Says how many bytes the request holds now. One that is alone always fits.
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
            "requests of more than {most} bytes are on their way, which is the most; wait for some of them"
        )))
    }
}

impl Drop for Held {
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
