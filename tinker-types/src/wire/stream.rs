//! Token streams: the server-sent events that answer [`STREAM_SAMPLE`](super::route::STREAM_SAMPLE).
//!
//! A stream is one `accepted`, any number of `tokens`, and one `done` or `error`. The data of each event is JSON.

use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_with::{DefaultOnError, serde_as};

use crate::{ErrorCategory, SampleResponse, StopReason, Submitted};

/// Media type of the response.
pub const CONTENT_TYPE: &str = "text/event-stream";

/// Name of the event that carries a [`Submitted`].
pub const ACCEPTED: &str = "accepted";

/// Name of the event that carries [`StreamTokens`].
pub const TOKENS: &str = "tokens";

/// Name of the event that carries a [`SampleResponse`].
pub const DONE: &str = "done";

/// Name of the event that carries a [`StreamFailure`].
pub const ERROR: &str = "error";

/// One event of a token stream.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum StreamEvent {
    /// The sample was accepted. The first event.
    Accepted(Submitted),
    /// Tokens of one sequence, which follow those of earlier events.
    Tokens(StreamTokens),
    /// The complete response, with what was requested about the prompt. The last event.
    Done(Box<SampleResponse>),
    /// The sample failed. The last event.
    Failed(StreamFailure),
}

/// New tokens of one sequence.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StreamTokens {
    /// Index of the sequence within the response, from 0.
    pub sequence: usize,
    /// Token ids, `[n]`.
    pub tokens: Vec<u32>,
    /// Their log probabilities, `[n]`, in nats; empty if the server reports none.
    #[serde(default)]
    pub logprobs: Vec<f32>,
    /// Why the sequence ended, if these are its last tokens; a reason that this crate does not have is `None`.
    #[serde_as(deserialize_as = "DefaultOnError")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<StopReason>,
}

impl StreamTokens {
    /// Tokens of a sequence, with their log probabilities. The sequence has not ended.
    pub fn new(sequence: usize, tokens: Vec<u32>, logprobs: Vec<f32>) -> Self {
        Self {
            sequence,
            tokens,
            logprobs,
            stop_reason: None,
        }
    }
}

/// The error of a failed sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StreamFailure {
    /// Message of the server.
    pub error: String,
    /// Who can fix it.
    #[serde(default)]
    pub category: ErrorCategory,
}

impl StreamFailure {
    /// A failure with its message and category.
    pub fn new(error: impl Into<String>, category: ErrorCategory) -> Self {
        Self {
            error: error.into(),
            category,
        }
    }
}

impl StreamEvent {
    /// Name of the event.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Accepted(_) => ACCEPTED,
            Self::Tokens(_) => TOKENS,
            Self::Done(_) => DONE,
            Self::Failed(_) => ERROR,
        }
    }

    /// The event as it travels: an `event` line, a `data` line, and the empty line that ends it.
    pub fn to_text(&self) -> String {
        let data = match self {
            Self::Accepted(submitted) => json!(submitted),
            Self::Tokens(tokens) => json!(tokens),
            Self::Done(response) => {
                let mut body = json!(response);
                body["type"] = "sample".into();
                body
            }
            Self::Failed(failure) => json!(failure),
        };
        // JSON on one line holds no line break, which would end the event.
        format!("event: {}\ndata: {data}\n\n", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_their_wire_form() {
        let mut tokens = StreamTokens::new(1, vec![7, 8], vec![-0.5, -0.25]);
        let text =
            "event: tokens\ndata: {\"logprobs\":[-0.5,-0.25],\"sequence\":1,\"tokens\":[7,8]}\n\n";
        assert_eq!(StreamEvent::Tokens(tokens.clone()).to_text(), text);
        tokens.stop_reason = Some(StopReason::Length);
        let text = StreamEvent::Tokens(tokens).to_text();
        assert!(text.contains("\"stop_reason\":\"length\""), "{text}");

        let done = StreamEvent::Done(Box::default()).to_text();
        assert!(done.starts_with("event: done\n") && done.contains("\"type\":\"sample\""));

        let failed = StreamFailure::new("out of\nmemory", ErrorCategory::Server);
        let text = StreamEvent::Failed(failed).to_text();
        assert_eq!(
            text,
            "event: error\ndata: {\"category\":\"server\",\"error\":\"out of\\nmemory\"}\n\n"
        );
    }

    #[test]
    fn an_unknown_stop_reason_keeps_the_tokens() {
        for (reason, expected) in [("stop", Some(StopReason::Stop)), ("content_filter", None)] {
            let event = json!({"sequence": 0, "tokens": [7], "stop_reason": reason});
            let read: StreamTokens = serde_json::from_value(event).unwrap();
            assert_eq!((read.tokens, read.stop_reason), (vec![7], expected));
        }
    }
}
