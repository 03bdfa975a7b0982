//! Outcomes of calls.

use serde_json::Value;
use tinker_client::{Error, LossHandle, SamplingClient, TrainingClient};
use tinker_transport::Kind;
use tinker_types::ErrorCategory;

/// The outcome of a call.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A value, in the official client's notation.
    Value {
        class: &'static str,
        value: Value,
    },
    /// A text.
    Text(String),
    /// Log probabilities of a prompt.
    Logprobs(Value),
    Model(TrainingClient),
    Sampler(SamplingClient),
    Loss(LossHandle),
    Nothing,
    Failed(Error),
    /// The caller's time limit passed first.
    TimedOut,
    /// The caller dropped the call.
    Dropped,
}

impl Outcome {
    /// A short description, equal for outcomes that callers treat alike.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Failed(error) => words_of(error),
            Self::TimedOut => "timed out".to_owned(),
            _ => "ok".to_owned(),
        }
    }

    pub(crate) fn error(&self) -> Option<&Error> {
        match self {
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }

    pub(crate) fn is_ok(&self) -> bool {
        !matches!(self, Self::Failed(_) | Self::TimedOut)
    }
}

fn words_of(error: &Error) -> String {
    match error {
        Error::Status(error) => {
            let place = error.request_id().map_or("", |_| " at a poll");
            format!("status {}{place}", error.status().as_u16())
        }
        Error::Gone(error) if error.has_expired() => "promise expired".to_owned(),
        Error::Gone(_) => "status 404 at a poll".to_owned(),
        Error::Failed(error) => match error.category() {
            ErrorCategory::User => "failed, user".to_owned(),
            ErrorCategory::Server => "failed, server".to_owned(),
            ErrorCategory::Unknown => "failed, unknown".to_owned(),
        },
        Error::Decode(_) => "answer not understood".to_owned(),
        Error::Invalid(_) => "invalid value".to_owned(),
        Error::Config(_) => "no usable credential".to_owned(),
        Error::Transport(error) if error.kind() == Kind::Credential => {
            "no usable credential".to_owned()
        }
        Error::Transport(error) => format!("transport error, {:?}", error.kind()),
        Error::Unreachable(_) => "unreachable".to_owned(),
        Error::Partly(error) => format!("partly done, {}", words_of(error.first())),
        Error::Export(_) => "export failed".to_owned(),
        Error::Loss(_) => "loss failed".to_owned(),
        Error::Poisoned(_) => "poisoned".to_owned(),
        Error::SessionLost(_) => "session lost".to_owned(),
        Error::Closed(_) => "closed".to_owned(),
        _ => "an error of a new kind".to_owned(),
    }
}
