//! Sending typed messages and reading their answers.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use tinker_transport::policy::{Disposition, Effort, Outcome};
use tinker_transport::{AttemptWatcher, Body, Call, Transport, TransportError};
use tinker_types::{Endpoint, proto};
use tokio::time::Instant;

use crate::error::{Advice, Error, Refusal, StatusError, detail_of};
use crate::observe::reach::Reach;
use crate::telemetry::Telemetry;
use crate::wire::codec;
use crate::wire::deprecation::Deprecations;
use crate::wire::manner::Manner;
use crate::wire::request::Form;

/// Sends typed messages over a transport and reads the answers. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    transport: Transport,
    answer_limit: u64,
    telemetry: Option<Telemetry>,
    reach: Option<Reach>,
    /// Receives failed attempts. Made once, as every request has it.
    watcher: Option<Arc<dyn AttemptWatcher>>,
    manner: Manner,
    deprecations: Arc<Deprecations>,
}

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) outcome: Outcome,
    pub(crate) form: Form,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    operation: &'static str,
    method: Method,
    uri: Uri,
    attempts: u32,
}

impl Api {
    pub(crate) fn new(transport: Transport, answer_limit: u64, manner: Manner) -> Self {
        Self {
            transport,
            answer_limit,
            telemetry: None,
            reach: None,
            watcher: None,
            manner,
            deprecations: Arc::default(),
        }
    }

    /// The manner in which requests are written.
    pub(crate) fn manner(&self) -> &Manner {
        &self.manner
    }

    /// Records whether the server can be reached.
    pub(crate) fn with_reach(mut self, reach: &Reach) -> Self {
        self.reach = Some(reach.clone());
        self.watcher = Some(Arc::new(reach.clone()));
        self
    }

    /// Reports failed calls to telemetry.
    pub(crate) fn with_telemetry(mut self, telemetry: Option<Telemetry>) -> Self {
        self.telemetry = telemetry;
        self
    }

    /// Largest accepted answer, in bytes.
    pub(crate) fn answer_limit(&self) -> u64 {
        self.answer_limit
    }

    /// Sends a message as JSON and reads the answer.
    pub(crate) async fn call<E: Endpoint>(
        &self,
        endpoint: &E,
        call: Call,
    ) -> Result<E::Response, Error> {
        let request = self.manner.request(endpoint, call)?;
        self.exchange(request, Answer::into_message).await
    }

    /// Sends a message as JSON; the body of a success is ignored.
    pub(crate) async fn call_void<E: Endpoint>(
        &self,
        endpoint: &E,
        call: Call,
    ) -> Result<(), Error> {
        let request = self.manner.request(endpoint, call)?;
        self.exchange(request, Answer::into_nothing).await
    }

    /// Sends a request; `read` interprets the answer. A failure is reported to telemetry.
    pub(crate) async fn exchange<T>(
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

    /// Sends a request; the body of the answer is a stream.
    pub(crate) async fn open(
        &self,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, TransportError> {
        // Headers for the server do not go to the host of a download link.
        if request.uri().authority().is_none() {
            self.manner.complete(&mut request);
            self.watch(&mut request);
            let result = Box::pin(self.transport.call(request)).await;
            self.note(result.as_ref().err());
            return result;
        }
        Box::pin(self.transport.call(request)).await
    }

    /// Reports failed attempts of a request.
    fn watch(&self, request: &mut Request<Body>) {
        if let (Some(watcher), Some(call)) =
            (&self.watcher, request.extensions_mut().get_mut::<Call>())
        {
            call.watcher = Some(Arc::clone(watcher));
        }
    }

    /// Records the end of a request.
    fn note(&self, error: Option<&TransportError>) {
        match (&self.reach, error) {
            (Some(reach), Some(error)) => reach.note_failure(error, error.elapsed(), None),
            (Some(reach), None) => reach.note_answer(),
            (None, _) => {}
        }
    }

    /// Sends a request and reads the whole answer, whatever its status.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Result<Answer, TransportError> {
        // The transport reads the body within the attempt, so that an interrupted one is retried.
        let mut operation = "request";
        if let Some(call) = request.extensions_mut().get_mut::<Call>() {
            call.whole = Some(self.answer_limit);
            operation = call.operation;
        }
        self.manner.complete(&mut request);
        self.watch(&mut request);
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let result = self.transport.call(request).await;
        let outcome = Disposition::of(&result).outcome;
        self.note(result.as_ref().err());
        let (head, body) = result?.into_parts();
        self.deprecations.log(operation, &head.headers);
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
            method,
            uri,
            attempts: head
                .extensions
                .get::<Effort>()
                .map_or(1, |effort| effort.attempts),
        })
    }
}

impl Answer {
    /// The message of a success, or the error of the status.
    pub(crate) fn into_message<T: serde::de::DeserializeOwned>(self) -> Result<T, Error> {
        let answer = self.into_success()?;
        Ok(codec::from_json(answer.operation, &answer.body)?)
    }

    /// Checks for a success; otherwise the error of the status.
    pub(crate) fn into_nothing(self) -> Result<(), Error> {
        self.into_success().map(drop)
    }

    fn into_success(self) -> Result<Self, Error> {
        if self.status.is_success() {
            return Ok(self);
        }
        let operation = self.operation;
        Err(self.into_error_of(operation).into())
    }

    /// The detail of an error body, shortened.
    pub(crate) fn detail(&self) -> String {
        detail_of(&self.body)
    }

    /// The error of the status, under the name of another operation than the one that was called.
    pub(crate) fn into_error_of(self, operation: &'static str) -> StatusError {
        let detail = detail_of(&self.body);
        let advice = Advice::about(&Refusal {
            status: self.status,
            operation,
            method: &self.method,
            path: self.uri.path(),
            body: &self.body,
            detail: &detail,
        });
        StatusError::new(self.status, operation, detail)
            .with_attempts(self.attempts)
            .with_advice(advice)
    }
}

/// The message of an answer; `None` from a server without the route or the object.
pub(crate) fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Err(Error::Status(error)) if matches!(error.status().as_u16(), 404 | 405 | 501) => Ok(None),
        answer => answer.map(Some),
    }
}
