//! Reported events and their fields.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tinker_transport::{Call, Class};
use tinker_types::{RequestId, RequestType, Severity, TelemetryEventKind};
use tokio::time::Instant;

use super::{Telemetry, words};
use crate::error::Error;

/// The state of polling for a promise.
#[derive(Debug)]
pub(crate) struct Polled<'a> {
    pub(crate) request_id: &'a RequestId,
    pub(crate) request_type: RequestType,
    /// Number of earlier polls.
    pub(crate) iteration: u64,
    /// Time since the acceptance.
    pub(crate) elapsed: Duration,
    pub(crate) bad_requests: u32,
    pub(crate) failures: u32,
}

type Data = Vec<(&'static str, Value)>;

impl Polled<'_> {
    fn data(&self) -> Data {
        vec![
            ("request_id", json!(self.request_id)),
            ("request_type", json!(self.request_type.as_str())),
            ("iteration", json!(self.iteration)),
            ("elapsed_time", json!(self.elapsed.as_secs_f64())),
        ]
    }

    /// `kind` is the consequence: `retry`, `retry_if_budget`, `retryable_exception`, `fatal`.
    fn failure(
        &self,
        status: Option<StatusCode>,
        kind: &str,
        what: &str,
        exception_type: &str,
    ) -> Data {
        let mut data = self.data();
        data.extend([
            ("status_code", json!(status.map(|status| status.as_u16()))),
            ("detail", json!(what)),
            ("kind", json!(kind)),
            ("should_retry", json!(kind.starts_with("retry"))),
            (
                "is_user_error",
                json!(status.is_some_and(words::is_refusal)),
            ),
            ("exception", json!(what)),
            ("exception_type", json!(exception_type)),
            ("bad_request_retries", json!(self.bad_requests)),
            ("connection_error_retries", json!(self.failures)),
        ]);
        data
    }
}

impl Telemetry {
    /// Reports a failed poll that will be repeated.
    pub(crate) fn poll_failed(&self, at: &Polled<'_>, status: Option<StatusCode>, what: &str) {
        let (name, kind) = match status {
            None => (CONNECTION_ERROR, "retry_with_backoff"),
            Some(StatusCode::BAD_REQUEST) => (STATUS_ERROR, "retry_if_budget"),
            Some(_) => (STATUS_ERROR, "retry"),
        };
        let data = at.failure(status, kind, what, "StatusError");
        self.note(Severity::Warning, name, data);
    }

    /// Reports a promise that ended with an error.
    pub(crate) fn promise_failed(&self, at: &Polled<'_>, error: &Error) {
        let (what, kind) = (words::chain(error), words::type_of(error));
        match error {
            Error::Failed(failed) => {
                let is_user_error = words::is_user_error(error);
                let mut data = at.data();
                data.extend([
                    ("error", json!(failed.message())),
                    ("error_category", json!(words::category(failed.category()))),
                    ("is_user_error", json!(is_user_error)),
                ]);
                let severity = if is_user_error {
                    Severity::Warning
                } else {
                    Severity::Error
                };
                self.note(severity, "APIFuture.result_async.application_error", data);
            }
            Error::Decode(_) => {
                let mut data = at.data();
                data.extend([("exception", json!(what)), ("exception_type", json!(kind))]);
                let name = if at.request_type.is_protobuf() {
                    "APIFuture.result_async.proto_deserialization_error"
                } else {
                    "APIFuture.result_async.validation_error"
                };
                self.note(Severity::Error, name, data);
            }
            _ => {
                let status = words::status_of(error);
                let (name, severity, follows) = match status {
                    Some(StatusCode::GONE) => {
                        (STATUS_ERROR, Severity::Warning, "retryable_exception")
                    }
                    Some(_) => (STATUS_ERROR, Severity::Error, "fatal"),
                    None => (CONNECTION_ERROR, Severity::Error, "fatal"),
                };
                self.note(severity, name, at.failure(status, follows, &what, kind));
            }
        }
    }

    /// Reports a call that failed after all retries.
    pub(crate) fn call_failed(&self, call: &Call, error: &Error, began: Instant) {
        let name = match call.class {
            Class::Sample => "RetryHandler.execute.exception",
            Class::Train | Class::Rest => "InternalClientHolder.execute_with_retries.exception",
            // Failed heartbeats and polls are routine, and telemetry does not report itself.
            _ => return,
        };
        let attempts = match error {
            Error::Status(error) => error.attempts(),
            _ => 1,
        };
        let (now, elapsed) = (self.now(), began.elapsed());
        let now = now.as_duration().as_secs_f64();
        let is_retryable = error.is_retryable();
        let mut data: Data = vec![
            ("func", json!(call.caller.unwrap_or(call.operation))),
            ("exception", json!(words::chain(error))),
            ("exception_type", json!(words::type_of(error))),
            (
                "status_code",
                json!(words::status_of(error).map(|status| status.as_u16())),
            ),
            ("is_user_error", json!(words::is_user_error(error))),
            // Counted from zero in these reports.
            ("attempt_count", json!(attempts.saturating_sub(1))),
            ("start_time", json!(now - elapsed.as_secs_f64())),
            ("current_time", json!(now)),
            ("elapsed_time", json!(elapsed.as_secs_f64())),
        ];
        let key = if call.class == Class::Sample {
            "should_retry"
        } else {
            "is_retryable"
        };
        data.push((key, json!(is_retryable)));
        self.note(Severity::Warning, name, data);
    }

    /// Reports an error that a public method returns. It is sent at once, without waiting for the delivery.
    pub(crate) fn exception(&self, error: &Error) {
        if words::is_local(error) {
            return;
        }
        let (what, kind) = (words::chain(error), words::type_of(error));
        if words::is_user_error(error) {
            let mut data: Data = vec![("error_type", json!(kind)), ("message", json!(what))];
            let status = words::status_of(error);
            data.extend(status.map(|status| ("status_code", json!(status.as_u16()))));
            data.extend(words::body_of(error).map(|body| ("body", body)));
            self.note(Severity::Warning, "user_error", data);
        } else {
            let kind = TelemetryEventKind::UnhandledException {
                error_type: kind.to_owned(),
                error_message: what,
                traceback: None,
            };
            self.push(Severity::Error, kind);
        }
        // The protocol has a session end after every error, although the session continues.
        if self.0.origin.session().is_some() {
            let duration = Some(words::duration(self.0.started.1.elapsed()));
            self.push(Severity::Info, TelemetryEventKind::SessionEnd { duration });
        }
        self.hurry();
    }
}

const STATUS_ERROR: &str = "APIFuture.result_async.api_status_error";
const CONNECTION_ERROR: &str = "APIFuture.result_async.connection_error";
