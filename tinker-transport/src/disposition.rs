//! What happened: an answer or a failure, put into words a policy can decide on.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Response, StatusCode};

use crate::body::Body;
use crate::clock;
use crate::error::{Kind, Stage, TransportError};
use crate::hint;
use crate::replay::Replay;

/// What one attempt came to, without judging whether to try again.
///
/// Classification reads the status, a few headers and the stage of an error. It never reads a
/// body and never looks at a message text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disposition {
    /// What happened.
    pub outcome: Outcome,
    /// How long the server asks to wait, capped.
    pub retry_after: Option<Duration>,
    /// The server's own word on trying again.
    pub should_retry: Option<bool>,
}

/// The kinds of outcome a policy tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A 2xx or 3xx answer.
    Success,
    /// The gate has taken note and holds the next try until its time: a 429 on a sample, or a 402
    /// within the billing pause. Not counted as an attempt.
    Held,
    /// 429 outside the gate.
    Throttled,
    /// 408, 409, 425 and 5xx: the same request may succeed later.
    Transient(StatusCode),
    /// An empty 400: a proxy at the edge turned the connection away, the service never saw it.
    EdgeRejection,
    /// Any other status: the request itself is at fault, repeating changes nothing.
    Refused(StatusCode),
    /// No answer.
    Failed {
        /// What kind of failure.
        kind: Kind,
        /// How far the request got.
        stage: Stage,
    },
}

/// Response extension by which the gate tells the retry layer that the next try will be held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held;

impl Disposition {
    /// Classifies the end of one attempt.
    ///
    /// Useful to loops of one's own, too: waiting for a result, for example.
    pub fn of(result: &Result<Response<Body>, TransportError>) -> Self {
        Self::at(result, clock::wall())
    }

    /// The same at a given time, with which a date in `Retry-After` is compared.
    pub fn at(result: &Result<Response<Body>, TransportError>, now: SystemTime) -> Self {
        match result {
            Ok(response) => Self {
                outcome: Outcome::of_response(response),
                retry_after: hint::retry_after(response.headers(), now),
                should_retry: hint::should_retry(response.headers()),
            },
            Err(error) => Self {
                outcome: Outcome::Failed {
                    kind: error.kind(),
                    stage: error.stage(),
                },
                retry_after: error.retry_after(),
                should_retry: None,
            },
        }
    }

    /// Is a repeat harmless, given what the caller says about replaying?
    ///
    /// A request that never left, or was turned away before any work, may always be repeated.
    /// Otherwise the work may have been done, and only [`Replay::Safe`] allows it, or a server
    /// that asks for the repeat itself.
    pub fn allows_repeat(&self, replay: Replay) -> bool {
        match self.outcome {
            Outcome::Success => false,
            Outcome::Held | Outcome::Throttled | Outcome::EdgeRejection => true,
            Outcome::Failed { stage, .. } => stage <= Stage::NotSent || replay == Replay::Safe,
            Outcome::Transient(_) | Outcome::Refused(_) => {
                replay == Replay::Safe || self.should_retry == Some(true)
            }
        }
    }
}

impl Outcome {
    fn of_response(response: &Response<Body>) -> Self {
        let status = response.status();
        match status.as_u16() {
            _ if response.extensions().get::<Held>().is_some() => Self::Held,
            100..=399 => Self::Success,
            429 => Self::Throttled,
            408 | 409 | 425 | 500.. => Self::Transient(status),
            400 if is_edge_rejection(response) => Self::EdgeRejection,
            _ => Self::Refused(status),
        }
    }
}

/// Is this the empty 400 of an edge proxy?
///
/// The official client takes a missing `content-length` for empty. Here an answer that names a
/// content type, or whose body is known to have content, has a reason to give and is left alone.
pub(crate) fn is_edge_rejection(response: &Response<Body>) -> bool {
    if response.status() != StatusCode::BAD_REQUEST {
        return false;
    }
    let headers = response.headers();
    match headers.get(CONTENT_LENGTH) {
        Some(length) => length.as_bytes() == b"0",
        None => match response.body().exact_len() {
            Some(length) => length == 0,
            None => !headers.contains_key(CONTENT_TYPE),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{answer, chunks};

    fn outcome(response: Response<Body>) -> Outcome {
        Disposition::of(&Ok(response)).outcome
    }

    #[test]
    fn statuses() {
        for status in [408, 409, 425, 500, 502, 503, 504, 529, 599] {
            assert!(
                matches!(outcome(answer(status)), Outcome::Transient(_)),
                "{status}"
            );
        }
        for status in [401, 402, 403, 404, 410, 413, 422] {
            assert!(
                matches!(outcome(answer(status)), Outcome::Refused(_)),
                "{status}"
            );
        }
        assert_eq!(outcome(answer(429)), Outcome::Throttled);
        assert_eq!(outcome(answer(204)), Outcome::Success);
        assert_eq!(outcome(answer(307)), Outcome::Success);
    }

    #[test]
    fn only_an_empty_400_is_an_edge_rejection() {
        assert_eq!(outcome(answer(400)), Outcome::EdgeRejection);

        let with_length = Response::builder()
            .status(400)
            .header(CONTENT_LENGTH, "0")
            .body(chunks(&[""]))
            .unwrap();
        assert_eq!(outcome(with_length), Outcome::EdgeRejection);

        let in_memory = Response::builder()
            .status(400)
            .header(CONTENT_TYPE, "application/json");
        assert!(matches!(
            outcome(in_memory.body(Body::from("{}")).unwrap()),
            Outcome::Refused(_)
        ));

        let streamed = Response::builder()
            .status(400)
            .header(CONTENT_TYPE, "application/json");
        assert!(matches!(
            outcome(streamed.body(chunks(&["{}"])).unwrap()),
            Outcome::Refused(_)
        ));

        let nameless = Response::builder()
            .status(400)
            .body(chunks(&["x"]))
            .unwrap();
        assert_eq!(outcome(nameless), Outcome::EdgeRejection);
    }

    #[test]
    fn repeats_depend_on_how_far_the_request_got() {
        let failed =
            |stage| Disposition::of(&Err(TransportError::new(Kind::Interrupted, stage, "broke")));
        assert!(failed(Stage::NotSent).allows_repeat(Replay::Unsafe));
        assert!(!failed(Stage::MaybeReceived).allows_repeat(Replay::Unsafe));
        assert!(failed(Stage::MaybeReceived).allows_repeat(Replay::Safe));

        let unavailable = Disposition::of(&Ok(answer(503)));
        assert!(!unavailable.allows_repeat(Replay::Unsafe));
        assert!(unavailable.allows_repeat(Replay::Safe));
        let throttled = Disposition::of(&Ok(answer(429)));
        assert!(throttled.allows_repeat(Replay::Unsafe));
    }
}
