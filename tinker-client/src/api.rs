//! Between typed messages and the transport.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use tinker_transport::{Body, Call, Disposition, Effort, Outcome, Transport, TransportError};
use tinker_types::wire::{header, route};
use tinker_types::{Endpoint, InvalidValue, Method, proto};
use tokio::time::Instant;
use url::Url;

use crate::codec;
use crate::error::{Error, StatusError, detail_of};
use crate::identity::PROTOCOL_VERSION;
use crate::telemetry::Telemetry;

/// Sends messages and reads answers. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    transport: Transport,
    answer_limit: u64,
    telemetry: Option<Telemetry>,
}

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Protobuf,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) outcome: Outcome,
    pub(crate) form: Form,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    operation: &'static str,
    attempts: u32,
}

impl Api {
    pub(crate) fn new(transport: Transport, answer_limit: u64) -> Self {
        Self {
            transport,
            answer_limit,
            telemetry: None,
        }
    }

    /// Reports calls that fail.
    pub(crate) fn with_telemetry(mut self, telemetry: Option<Telemetry>) -> Self {
        self.telemetry = telemetry;
        self
    }

    /// Largest answer that is read, in bytes.
    pub(crate) fn answer_limit(&self) -> u64 {
        self.answer_limit
    }

    /// Sends a message as JSON and reads its answer.
    pub(crate) async fn call<E: Endpoint>(
        &self,
        endpoint: &E,
        call: Call,
    ) -> Result<E::Response, Error> {
        let request = json_request(endpoint, call)?;
        self.finish(request, Answer::into_message).await
    }

    /// Sends a message as JSON; any success will do as an answer.
    pub(crate) async fn call_void<E: Endpoint>(
        &self,
        endpoint: &E,
        call: Call,
    ) -> Result<(), Error> {
        let request = json_request(endpoint, call)?;
        self.finish(request, Answer::into_nothing).await
    }

    /// Sends a message as JSON; the answer is read by a function.
    pub(crate) async fn call_read<E: Endpoint, T>(
        &self,
        endpoint: &E,
        call: Call,
        read: impl FnOnce(Answer) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let request = json_request(endpoint, call)?;
        self.finish(request, read).await
    }

    /// The same for a message that is all in its path: the request has no body.
    pub(crate) async fn call_bare<E: Endpoint>(
        &self,
        endpoint: &E,
        call: Call,
    ) -> Result<(), Error> {
        let path = address(endpoint)?;
        let request = build(E::METHOD, &path, Form::Json, Bytes::new(), call)?;
        self.finish(request, Answer::into_nothing).await
    }

    /// Sends a message as JSON with one more header, and reads its answer.
    pub(crate) async fn call_with<E: Endpoint>(
        &self,
        endpoint: &E,
        header: (HeaderName, HeaderValue),
        call: Call,
    ) -> Result<E::Response, Error> {
        let mut request = json_request(endpoint, call)?;
        request.headers_mut().insert(header.0, header.1);
        self.finish(request, Answer::into_message).await
    }

    async fn finish<T>(
        &self,
        request: Request<Body>,
        read: impl FnOnce(Answer) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Some(telemetry) = &self.telemetry else {
            return read(self.send(request).await?);
        };
        let (call, began) = (Call::of(&request), Instant::now());
        let result = match self.send(request).await {
            Ok(answer) => read(answer),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = &result {
            telemetry.call_failed(&call, error, began);
        }
        result
    }

    /// Sends a request; the answer is read as it comes.
    pub(crate) async fn open(
        &self,
        request: Request<Body>,
    ) -> Result<Response<Body>, TransportError> {
        Box::pin(self.transport.call(request)).await
    }

    /// Sends a request and reads the whole answer, whatever its status.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Result<Answer, TransportError> {
        // Below, too: an answer that breaks off is then asked for again.
        if let Some(call) = request.extensions_mut().get_mut::<Call>() {
            call.whole = Some(self.answer_limit);
        }
        let operation = Call::of(&request).operation;
        let result = self.transport.call(request).await;
        let outcome = Disposition::of(&result).outcome;
        let (head, body) = result?.into_parts();
        let content_type = head.headers.get(CONTENT_TYPE);
        let is_protobuf = content_type
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.contains(proto::CONTENT_TYPE));
        Ok(Answer {
            status: head.status,
            outcome,
            form: if is_protobuf {
                Form::Protobuf
            } else {
                Form::Json
            },
            headers: head.headers,
            body: body.collect(self.answer_limit).await?,
            operation,
            attempts: head
                .extensions
                .get::<Effort>()
                .map_or(1, |effort| effort.attempts),
        })
    }
}

impl Answer {
    /// The message of a success, or the error the status stands for.
    pub(crate) fn into_message<T: serde::de::DeserializeOwned>(self) -> Result<T, Error> {
        if !self.status.is_success() {
            return Err(self.into_error().into());
        }
        Ok(codec::from_json(self.operation, &self.body)?)
    }

    /// Nothing of a success, or the error the status stands for.
    fn into_nothing(self) -> Result<(), Error> {
        if self.status.is_success() {
            return Ok(());
        }
        Err(self.into_error().into())
    }

    /// What a status that is no success stands for.
    pub(crate) fn into_error(self) -> StatusError {
        let operation = self.operation;
        self.into_error_of(operation)
    }

    /// What the server says in an error, in a few words.
    pub(crate) fn words(&self) -> String {
        detail_of(&self.body)
    }

    /// The same, blamed on another operation than the one that was called.
    pub(crate) fn into_error_of(self, operation: &'static str) -> StatusError {
        StatusError::new(self.status, operation, detail_of(&self.body)).with_attempts(self.attempts)
    }
}

/// A message as a request with a JSON body.
pub(crate) fn json_request<E: Endpoint>(endpoint: &E, call: Call) -> Result<Request<Body>, Error> {
    let body = match E::METHOD {
        Method::Get | Method::Delete => Bytes::new(),
        Method::Post | Method::Put => codec::to_json(call.operation, endpoint)?,
    };
    let path = address(endpoint)?;
    build(E::METHOD, &path, Form::Json, body, call)
}

/// A request with the headers that belong to its call.
pub(crate) fn build(
    method: Method,
    path: &str,
    form: Form,
    body: Bytes,
    call: Call,
) -> Result<Request<Body>, Error> {
    // With what the transport adds, so that the table does not grow on the way.
    let mut headers = HeaderMap::with_capacity(12);
    if method != Method::Get {
        headers.insert(CONTENT_TYPE, form.media_type());
    }
    name_method(&mut headers, call.caller);
    let operation = call.operation;
    let mut request = Request::builder()
        .method(method.as_str())
        .uri(path)
        .extension(call)
        .body(Body::from(body))
        .map_err(|_| InvalidValue::new(operation, format!("{path:?} is no path")))?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Names the public method that causes the call.
fn name_method(headers: &mut HeaderMap, caller: Option<&'static str>) {
    if let Some(name) = caller {
        headers.insert(
            HeaderName::from_static(header::SDK_VERSION),
            HeaderValue::from_static(PROTOCOL_VERSION),
        );
        headers.insert(
            HeaderName::from_static(header::SDK_METHOD),
            HeaderValue::from_static(name),
        );
    }
}

impl Form {
    pub(crate) fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json",
            Self::Protobuf => proto::CONTENT_TYPE,
        })
    }

    /// Asks for answers in this form.
    pub(crate) fn accept(self, request: &mut Request<Body>) {
        request.headers_mut().insert(ACCEPT, self.media_type());
    }
}

/// Path and query of a message.
///
/// Ids are part of paths, and an id of dots would lead to another path.
fn address<E: Endpoint>(endpoint: &E) -> Result<String, InvalidValue> {
    let path = endpoint.path();
    if path.split('/').any(|part| matches!(part, "." | "..")) {
        let why = format!("{path:?} has a part of dots only; give an id as the server named it");
        return Err(InvalidValue::new("path", why));
    }
    Ok(locate(&path, &endpoint.query()))
}

/// Path and query below the base URL, escaped where needed. Nothing in `path` is escaped yet.
pub(crate) fn locate(path: &str, query: &[(&'static str, String)]) -> String {
    let Ok(mut url) = Url::parse("http://server/") else {
        return String::new();
    };
    url.set_path(&format!("{}{}", route::PREFIX, path.replace('%', "%25")));
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped_as_the_official_client_does() {
        assert_eq!(
            locate("samplers/s-1:sample:0", &[]),
            "/api/v1/samplers/s-1:sample:0"
        );
        assert_eq!(
            locate("training_runs/a b/\u{fc}?x#y", &[]),
            "/api/v1/training_runs/a%20b/%C3%BC%3Fx%23y"
        );
        // An escape in an id is text like any other: `a%2Fb` is one id, and stays one.
        assert_eq!(
            locate("samplers/a%2Fb%", &[]),
            "/api/v1/samplers/a%252Fb%25"
        );
        let up = tinker_types::GetSampler::new("..".into());
        assert!(address(&up).is_err());
        let query = [("limit", "5".to_owned()), ("project_id", "p 1".to_owned())];
        assert_eq!(
            locate("training_runs", &query),
            "/api/v1/training_runs?limit=5&project_id=p+1"
        );
    }
}
