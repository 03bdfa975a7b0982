//! The state of polling for one promise, and its reports.

use std::time::Duration;

use http::StatusCode;
use tinker_transport::Call;
use tinker_types::QueueStatus;
use tokio::time::Instant;

use super::record::Promise;
use crate::error::Error;
use crate::observe::event::{ClientEvent, PromiseStep};
use crate::operation::tracker::Tracker;
use crate::operation::waiting::{Waiting, WaitingFor};
use crate::telemetry::Polled;

/// Time after which an earlier refused request is named as a possible reason for waiting.
const GAP_AFTER: Duration = Duration::from_secs(5);

/// The state of polling for one promise. Reports every change to the tracker, the observers and telemetry; a drop
/// before the end counts as cancelled.
#[derive(Debug)]
pub(super) struct PollState<'a> {
    promise: &'a Promise,
    tracker: &'a Tracker,
    /// The reason of this promise; other promises may share the tracker.
    waiting: Waiting,
    accepted: Instant,
    polls: u64,
    bad_requests: u32,
    failures: u32,
    has_ended: bool,
}

impl<'a> PollState<'a> {
    /// Starts with a promise that was given just now.
    pub(super) fn new(promise: &'a Promise, tracker: &'a Tracker) -> Self {
        let reason = WaitingFor::Server {
            state: None,
            reason: None,
        };
        tracker.accepted(promise.operation, &promise.request_id);
        tracker.set(reason.clone());
        let poll = Self {
            promise,
            tracker,
            waiting: Waiting::new(reason),
            accepted: Instant::now(),
            polls: 0,
            bad_requests: 0,
            failures: 0,
            has_ended: false,
        };
        poll.step(PromiseStep::Accepted);
        poll
    }

    /// Names the method and the object in a call of the operation.
    pub(super) fn identify(&self, call: Call) -> Call {
        self.tracker.identify(call)
    }

    /// The number of the next poll.
    pub(super) fn next_poll(&mut self) -> u64 {
        self.polls += 1;
        self.polls - 1
    }

    /// Records the queue state that the server reports.
    pub(super) fn note_queue_state(&mut self, status: QueueStatus) {
        let state = status.queue_state;
        let reason = status.queue_state_reason.or_else(|| self.gap());
        self.tracker
            .group()
            .note_queue_state(state.as_ref(), reason.as_deref());
        self.set(WaitingFor::Server { state, reason });
    }

    /// A possible reason for a result that does not come: some servers wait forever for a sequence id that they refused.
    fn gap(&self) -> Option<String> {
        let number = self.promise.behind?;
        (self.accepted.elapsed() >= GAP_AFTER).then(|| {
            format!("it may be waiting for request {number} of this model, which it refused")
        })
    }

    /// Sets the reason for waiting and reports a change.
    pub(super) fn set(&mut self, reason: WaitingFor) {
        self.tracker.set(reason.clone());
        if self.waiting.reason == reason {
            return;
        }
        self.waiting = Waiting::new(reason);
        self.tracker
            .events()
            .observers()
            .emit(|| ClientEvent::Waiting {
                operation: self.promise.operation,
                id: self.promise.request_id.as_str(),
                waiting: &self.waiting,
            });
    }

    /// Records a poll that failed and will be repeated. Reported to telemetry once per change of the reason.
    pub(super) fn note_failure(&mut self, status: Option<StatusCode>, what: &str) {
        match status {
            None => self.failures += 1,
            Some(StatusCode::BAD_REQUEST) => self.bad_requests += 1,
            Some(_) => {}
        }
        let recovery = |status| WaitingFor::Recovery { status };
        let lost = || self.tracker.events().reach().lost(what);
        let reason = status.map_or_else(lost, recovery);
        let kind = std::mem::discriminant(&reason);
        let is_changed = std::mem::discriminant(&self.waiting.reason) != kind;
        self.set(reason);
        if let Some(telemetry) = self.tracker.events().telemetry().filter(|_| is_changed) {
            telemetry.poll_failed(&self.polled(), status, what);
        }
    }

    /// Records the end: a result or an error.
    pub(super) fn end(mut self, error: Option<&Error>) {
        self.has_ended = true;
        self.step(match error {
            None => PromiseStep::Done,
            Some(Error::Gone(gone)) if gone.has_expired() => PromiseStep::Expired,
            Some(_) => PromiseStep::Failed,
        });
        if let (Some(error), Some(telemetry)) = (error, self.tracker.events().telemetry()) {
            telemetry.promise_failed(&self.polled(), error);
        }
    }

    fn polled(&self) -> Polled<'_> {
        Polled {
            request_id: &self.promise.request_id,
            request_type: self.promise.request_type,
            iteration: self.polls.saturating_sub(1),
            elapsed: self.accepted.elapsed(),
            bad_requests: self.bad_requests,
            failures: self.failures,
        }
    }

    fn step(&self, step: PromiseStep) {
        self.tracker.events().observers().emit(|| {
            let promise = self.promise;
            ClientEvent::Promise {
                operation: promise.operation,
                id: promise.request_id.as_str(),
                step,
                elapsed: promise.started.elapsed(),
            }
        });
    }
}

impl Drop for PollState<'_> {
    fn drop(&mut self) {
        self.tracker.ended(&self.promise.request_id);
        if !self.has_ended {
            self.step(PromiseStep::Cancelled);
        }
    }
}

#[cfg(test)]
mod tests;
