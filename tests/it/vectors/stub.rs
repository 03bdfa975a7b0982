//! Stub server of a replay: gives the recorded answers and records the requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use tinker_transport::{Body, Kind, Stage, TransportError};
use tokio::time::Instant;

use super::exchange::{Answer, route};
use super::known;
use super::message::Message;
use super::script::{Identity, Script};
use super::sent::{Answered, Sent};
use super::usual::Usual;
use super::vector::Vector;

/// A leaf of the client's stack that plays the server of one recording.
#[derive(Clone)]
pub(crate) struct Stub(Arc<Mutex<State>>);

struct State {
    vector: Arc<Vector>,
    start: Instant,
    script: Script,
    usual: Usual,
    sent: Vec<Sent>,
}

/// The server's reaction to a request, and its delay.
pub(crate) struct Reply {
    after: Duration,
    result: Result<Response<Body>, TransportError>,
}

impl Stub {
    pub(crate) fn new(vector: &Arc<Vector>) -> Result<Self, String> {
        let state = State {
            start: Instant::now(),
            script: Script::of(vector)?,
            usual: Usual::of(vector),
            sent: Vec::new(),
            vector: Arc::clone(vector),
        };
        Ok(Self(Arc::new(Mutex::new(state))))
    }

    pub(crate) async fn answer(
        self,
        request: Request<Body>,
    ) -> Result<Response<Body>, TransportError> {
        let (head, body) = request.into_parts();
        let body = body.collect(1 << 30).await?;
        let reply = {
            let mut state = self.state();
            let sent = Sent::new(state.start.elapsed(), &head, &body);
            state.reply(sent)
        };
        tokio::time::sleep(reply.after).await;
        reply.result
    }

    /// All requests in the order of arrival.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.state().sent.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn reply(&mut self, mut sent: Sent) -> Reply {
        let identity = Identity::sent(&sent);
        let (answered, reply) = match self.script.take(&identity) {
            Some(index) => (Answered::Recorded(index), self.recorded(index, &sent)),
            None if self.script.knows(&identity) => (Answered::Unexpected, Reply::unexpected()),
            None => match self.usual_answer(&sent) {
                Some(reply) => (Answered::Usual, reply),
                None => (Answered::Unexpected, Reply::unexpected()),
            },
        };
        sent.answered = answered;
        self.sent.push(sent);
        reply
    }

    fn recorded(&mut self, index: usize, sent: &Sent) -> Reply {
        let vector = Arc::clone(&self.vector);
        let Some(answer) = &vector.exchanges[index].response else {
            return Reply::never();
        };
        let id = answer
            .body
            .json()
            .and_then(|body| body["request_id"].as_str());
        if let (Some(id), Ok(message)) = (id, &sent.message) {
            self.usual.promised(&route(&sent.path), message, id);
        }
        Reply::recorded(answer)
    }

    fn usual_answer(&mut self, sent: &Sent) -> Option<Reply> {
        let message = sent.message.as_ref().unwrap_or(&Message::Nothing);
        let known = known::answer(&self.vector.name, &route(&sent.path), message);
        if let Some((status, body)) = known {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            return Some(Reply::new(
                status,
                "application/json",
                body.to_string().into(),
            ));
        }
        let (content_type, body) = self
            .usual
            .answer(&sent.method, &route(&sent.path), message)?;
        Some(Reply::new(StatusCode::OK, content_type, body))
    }
}

impl Reply {
    fn new(status: StatusCode, content_type: &'static str, body: Bytes) -> Self {
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static(content_type),
        );
        Self {
            after: Duration::ZERO,
            result: Ok(response),
        }
    }

    /// Requests that no official client sends get a status that is not retried.
    fn unexpected() -> Self {
        let body = Bytes::from_static(br#"{"detail":"the recording has no such request"}"#);
        Self::new(StatusCode::IM_A_TEAPOT, "application/json", body)
    }

    fn never() -> Self {
        Self {
            after: Duration::from_secs(1 << 30),
            result: Err(failure(Kind::Timeout, "no answer was recorded".to_owned())),
        }
    }

    fn recorded(answer: &Answer) -> Self {
        let result = if answer.hung_up {
            Err(failure(Kind::Interrupted, "the server hung up".to_owned()))
        } else {
            response(answer).map_err(|what| failure(Kind::Layer, what))
        };
        Self {
            after: answer.delay(),
            result,
        }
    }
}

fn response(answer: &Answer) -> Result<Response<Body>, String> {
    let mut response = Response::new(Body::from(answer.body.wire()?));
    *response.status_mut() = answer
        .status
        .and_then(|status| StatusCode::from_u16(status).ok())
        .ok_or("an answer without a status")?;
    let headers: &mut HeaderMap = response.headers_mut();
    for (name, value) in &answer.headers {
        let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
        let value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
        headers.insert(name, value);
    }
    Ok(response)
}

fn failure(kind: Kind, what: String) -> TransportError {
    TransportError::new(kind, Stage::MaybeReceived, what)
}
