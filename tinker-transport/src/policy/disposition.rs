//! Classification of finished attempts.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Response, StatusCode};

use super::hint;
use crate::body::Body;
use crate::clock;
use crate::error::{Kind, Stage, TransportError};
use crate::request::replay::Replay;

/// Classification of the end of one attempt. It does not decide about retries.
///
/// Only the status, a few headers and the stage of an error are read, never a body or the text of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disposition {
    /// Outcome of the attempt.
    pub outcome: Outcome,
    /// Wait requested by the server, at most [`HINT_CAP`](super::HINT_CAP). `None` after a success.
    pub retry_after: Option<Duration>,
    /// The server's `x-should-retry` header. `None` after a success.
    pub should_retry: Option<bool>,
}

/// Outcomes that policies distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A 2xx or 3xx response.
    Success,
    /// The gate holds the next try: a 429 on a sample, or a 402 within the billing pause. Not counted as an
    /// attempt.
    Held,
    /// 429 outside the gate.
    Throttled,
    /// 408, 409, 425 and 5xx: the same request may succeed later.
    Transient(StatusCode),
    /// An empty 400: a proxy at the edge rejected the connection, and the service never saw the request.
    EdgeRejection,
    /// Any other status: the request itself is invalid, and a repeat fails again.
    Refused(StatusCode),
    /// No response.
    Failed {
        /// Kind of failure.
        kind: Kind,
        /// How far the request got.
        stage: Stage,
    },
}

/// Response extension of the gate for the retry layer: the gate will hold the next try.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held;

impl Disposition {
    /// Classifies the end of one attempt.
    ///
    /// Also useful in loops outside of the retry layer, for example polling.
    pub fn of(result: &Result<Response<Body>, TransportError>) -> Self {
        Self::judge(result, clock::wall)
    }

    /// Like [`of`](Self::of), for a given time, with which a date in `Retry-After` is compared.
    pub fn at(result: &Result<Response<Body>, TransportError>, now: SystemTime) -> Self {
        Self::judge(result, || now)
    }

    fn judge(
        result: &Result<Response<Body>, TransportError>,
        now: impl FnOnce() -> SystemTime,
    ) -> Self {
        match result {
            Ok(response) => {
                let outcome = Outcome::of_response(response);
                // Most attempts succeed, so their headers are not searched.
                let headers = (outcome != Outcome::Success).then(|| response.headers());
                Self {
                    outcome,
                    retry_after: headers.and_then(|all| hint::retry_after(all, now())),
                    should_retry: headers.and_then(hint::should_retry),
                }
            }
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

    /// Whether a repeat is harmless, given whether the request may be replayed.
    ///
    /// A request that was not sent, or was rejected before any work, may always be repeated. Otherwise the work may
    /// have been done, and a repeat requires [`Replay::Safe`] or a server that explicitly requests it.
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

/// Whether this is the empty 400 of an edge proxy.
///
/// The official client treats a missing `content-length` as empty. Here, a response with a content type, or whose
/// body is known to have content, is an ordinary 400.
pub(crate) fn is_edge_rejection<B: http_body::Body>(response: &Response<B>) -> bool {
    if response.status() != StatusCode::BAD_REQUEST {
        return false;
    }
    let headers = response.headers();
    match headers.get(CONTENT_LENGTH) {
        Some(length) => length.as_bytes() == b"0",
        None => match response.body().size_hint().exact() {
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
