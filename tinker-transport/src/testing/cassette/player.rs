//! Playback of cassettes.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use tinker_types::wire::header;
use tower::Layer;

use super::exchange::{End, Exchange, Sent};
use super::scrub::{REMOVED, Scrub};
use crate::body::Body;
use crate::error::{BoxError, Kind, Stage, TransportError};
use crate::mutex::lock;
use crate::service::{Answer, always_ready};

/// Headers that differ between runs, or between positions in the stack.
const VOLATILE: [&str; 13] = [
    "accept-encoding",
    "content-length",
    "date",
    "host",
    "traceparent",
    "tracestate",
    "user-agent",
    header::API_KEY,
    header::IDEMPOTENCY_KEY,
    header::REQUEST_ID,
    header::STAINLESS_RETRY_COUNT,
    header::PROMISE_ROUNDTRIP,
    header::REQUEST_ITERATION,
];

/// Headers the stack adds between the attempt slot and the leaf. It also adds the configured ones, which are secrets.
const ADDED: [&str; 2] = ["accept", header::SAMPLING_BACKPRESSURE];

/// A leaf that answers from a [`Cassette`](super::Cassette).
///
/// Strict: each request must be the next recorded one, with the same method, path, headers (except those that differ
/// between runs) and body. Loose: method, path and body select the response. A request without a match gets an error of
/// [`Kind::Request`] that names the first difference, and is not counted.
///
/// Responses come immediately, without the recorded delays.
///
/// Usable in [`Transport::new`](crate::Transport::new), as the leaf of a
/// [`TransportBuilder`](crate::TransportBuilder), and in the slot of the recording: as an attempt layer it replaces
/// everything below it.
#[derive(Clone)]
pub struct Player {
    tape: Arc<[Exchange]>,
    is_strict: bool,
    ignored: Vec<String>,
    scrub: Scrub,
    played: Arc<Mutex<Vec<bool>>>,
}

impl Player {
    pub(super) fn new(tape: Arc<[Exchange]>, is_strict: bool) -> Self {
        Self {
            played: Arc::new(Mutex::new(vec![false; tape.len()])),
            tape,
            is_strict,
            ignored: Vec::new(),
            scrub: Scrub::new(),
        }
    }

    /// Ignores JSON fields with this name in requests, at any depth: random seeds, timestamps.
    #[must_use]
    pub fn ignoring(mut self, field: impl Into<String>) -> Self {
        self.ignored.push(field.into());
        self
    }

    tinker_types::setters! {
        /// Removes secrets from requests before they are compared, as the recording did. Needed only if it was made
        /// with more than [`Scrub::new`].
        with_scrub(scrub: Scrub) => scrub = scrub;
    }

    /// Number of exchanges that were not played yet.
    pub fn remaining(&self) -> usize {
        lock(&self.played).iter().filter(|played| !**played).count()
    }

    fn answer(&self, request: &Request<Body>) -> Answer {
        let sent = self.scrub.sent(request);
        let mut played = lock(&self.played);
        let found = if self.is_strict {
            self.next(&sent, &played)
        } else {
            self.any(&sent, &played)
        };
        let number = found.map_err(|what| {
            TransportError::new(
                Kind::Request,
                Stage::NotSent,
                format!("the cassette {what}"),
            )
        })?;
        played[number] = true;
        replay(&self.tape[number].end)
    }

    /// The next exchange, if it matches this request.
    fn next(&self, sent: &Sent, played: &[bool]) -> Result<usize, String> {
        let Sent { method, path, .. } = sent;
        let Some(number) = played.iter().position(|played| !played) else {
            return Err(format!("is at its end; {method} {path} was not recorded"));
        };
        let recorded = &self.tape[number].request;
        let difference = self
            .difference(recorded, sent)
            .or_else(|| headers_differ(recorded, sent));
        match difference {
            None => Ok(number),
            Some(what) => Err(format!(
                "expects {} {} as request {}; {method} {path} differs in its {what}",
                recorded.method,
                recorded.path,
                number + 1
            )),
        }
    }

    /// The first unplayed exchange that matches this request, else the last.
    fn any(&self, sent: &Sent, played: &[bool]) -> Result<usize, String> {
        let fits = |number: &usize| self.difference(&self.tape[*number].request, sent).is_none();
        let of_request = || (0..self.tape.len()).filter(fits);
        of_request()
            .find(|number| !played[*number])
            .or_else(|| of_request().last())
            .ok_or_else(|| {
                let Sent { method, path, .. } = sent;
                let same_path = self
                    .tape
                    .iter()
                    .any(|exchange| exchange.request.path == *path);
                let hint = if same_path {
                    "with this body"
                } else {
                    "at all"
                };
                format!("holds no {method} {path} {hint}")
            })
    }

    fn difference(&self, recorded: &Sent, sent: &Sent) -> Option<String> {
        if recorded.method != sent.method {
            return Some("method".into());
        }
        if !is_same_path(&recorded.path, &sent.path) {
            return Some("path".into());
        }
        let at = recorded.body.difference(&sent.body, &self.ignored)?;
        Some(format!(
            "body{}{at}",
            if at.is_empty() { "" } else { " at " }
        ))
    }
}

/// A path recorded in the attempt slot has no base URL; one played at the leaf has.
fn is_same_path(recorded: &str, sent: &str) -> bool {
    recorded == sent
        || recorded.starts_with('/') && !sent.starts_with('/') && sent.ends_with(recorded)
}

fn headers_differ(recorded: &Sent, sent: &Sent) -> Option<String> {
    let (ours, theirs) = (&recorded.headers, &sent.headers);
    ours.keys()
        .chain(theirs.keys())
        .filter(|name| !VOLATILE.contains(&name.as_str()))
        .find(|name| match (ours.get(*name), theirs.get(*name)) {
            (None, Some(values)) => !ADDED.contains(&name.as_str()) && values != &[REMOVED],
            (ours, theirs) => ours != theirs,
        })
        .map(|name| format!("header {name}"))
}

fn replay(end: &End) -> Answer {
    let (status, headers, body, is_cut) = match end {
        End::Answered {
            status,
            headers,
            body,
            is_cut,
        } => (*status, headers, body.bytes(), *is_cut),
        End::Failed { kind, stage, what } => {
            return Err(TransportError::new(*kind, *stage, what.clone()));
        }
    };
    let unusable = |what: &'static str| TransportError::new(Kind::Layer, Stage::Answered, what);
    let body = if is_cut {
        Body::new(Cut(Some(body)))
    } else {
        Body::from(body)
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status)
        .map_err(|_| unusable("the cassette contains an invalid status"))?;
    for (name, values) in headers {
        let name = HeaderName::try_from(name.as_str())
            .map_err(|_| unusable("the cassette contains an invalid header name"))?;
        if name == http::header::CONTENT_LENGTH {
            continue; // what was removed has changed it
        }
        for value in values {
            let value = HeaderValue::try_from(value.as_str())
                .map_err(|_| unusable("the cassette contains an invalid header value"))?;
            response.headers_mut().append(name.clone(), value);
        }
    }
    Ok(response)
}

/// A body that breaks off, as it was recorded.
struct Cut(Option<Bytes>);

impl http_body::Body for Cut {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let broken = || {
            let what = "the recorded body broke off here";
            TransportError::new(Kind::Body, Stage::Answered, what).into()
        };
        Poll::Ready(Some(self.0.take().map(Frame::data).ok_or_else(broken)))
    }
}

always_ready!(Player, |player, request| {
    let player = player.clone();
    Box::pin(async move { player.answer(&request) })
});

/// As a layer it never calls its inner service.
impl<S> Layer<S> for Player {
    type Service = Self;

    fn layer(&self, _: S) -> Self {
        self.clone()
    }
}

impl fmt::Debug for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Player")
            .field("is_strict", &self.is_strict)
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
