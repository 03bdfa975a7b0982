//! How one promise fares, told to everyone who wants to know.

use http::StatusCode;
use tinker_types::Waiting as ServerWord;
use tokio::time::Instant;

use super::Promise;
use crate::board::Board;
use crate::error::Error;
use crate::observe::{ClientEvent, PromiseStep};
use crate::telemetry::Polled;
use crate::waiting::{Waiting, WaitingFor};

/// The course of one promise. Dropped before its end, it was given up.
#[derive(Debug)]
pub(super) struct Course<'a> {
    promise: &'a Promise,
    board: &'a Board,
    /// As this promise has it; others may write on the same board.
    waiting: Waiting,
    accepted: Instant,
    polls: u64,
    bad_requests: u32,
    failures: u32,
    has_ended: bool,
}

impl<'a> Course<'a> {
    /// The promise was given just now.
    pub(super) fn new(promise: &'a Promise, board: &'a Board) -> Self {
        let reason = WaitingFor::Server {
            state: None,
            reason: None,
        };
        board.accepted(promise.operation, &promise.request_id);
        board.set(reason.clone());
        let course = Self {
            promise,
            board,
            waiting: Waiting::new(reason),
            accepted: Instant::now(),
            polls: 0,
            bad_requests: 0,
            failures: 0,
            has_ended: false,
        };
        course.step(PromiseStep::Accepted);
        course
    }

    /// The public method behind it.
    pub(super) fn method(&self) -> &'static str {
        self.board.method()
    }

    /// The number of the next poll.
    pub(super) fn next_poll(&mut self) -> u64 {
        self.polls += 1;
        self.polls - 1
    }

    /// The server says how things stand.
    pub(super) fn hear(&mut self, word: ServerWord) {
        let (state, reason) = (word.queue_state, word.queue_state_reason);
        self.board.line().note(state.as_ref(), reason.as_deref());
        self.set(WaitingFor::Server { state, reason });
    }

    /// It waits for something else now.
    pub(super) fn set(&mut self, reason: WaitingFor) {
        self.board.set(reason.clone());
        if self.waiting.reason == reason {
            return;
        }
        self.waiting = Waiting::new(reason);
        self.board.news().observers().emit(|| ClientEvent::Waiting {
            operation: self.promise.operation,
            id: self.promise.request_id.as_str(),
            waiting: &self.waiting,
        });
    }

    /// A poll was answered with an error, or not at all, and will be repeated. Reported once for as
    /// long as nothing else happens.
    pub(super) fn trouble(&mut self, reason: WaitingFor, status: Option<StatusCode>, what: &str) {
        match status {
            None => self.failures += 1,
            Some(StatusCode::BAD_REQUEST) => self.bad_requests += 1,
            Some(_) => {}
        }
        let is_news = self.waiting.reason != reason;
        self.set(reason);
        if let Some(telemetry) = self.board.news().telemetry().filter(|_| is_news) {
            telemetry.poll_failed(&self.polled(), status, what);
        }
    }

    /// There is a result or an error.
    pub(super) fn end(mut self, error: Option<&Error>) {
        self.has_ended = true;
        self.step(match error {
            None => PromiseStep::Done,
            Some(Error::Gone(gone)) if gone.has_expired() => PromiseStep::Expired,
            Some(_) => PromiseStep::Failed,
        });
        if let (Some(error), Some(telemetry)) = (error, self.board.news().telemetry()) {
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
        self.board.news().observers().emit(|| {
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

impl Drop for Course<'_> {
    fn drop(&mut self) {
        self.board.ended(&self.promise.request_id);
        if !self.has_ended {
            self.step(PromiseStep::Cancelled);
        }
    }
}

#[cfg(test)]
mod tests;
