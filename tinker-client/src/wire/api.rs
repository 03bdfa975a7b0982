//! Sending typed messages and reading their answers.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode};
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
use crate::wire::table::Table;

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
    pub(crate) headers: Table,
    pub(crate) body: Bytes,
    about: About,
    attempts: u32,
}

/// Properties of a request for the errors about it.
#[derive(Debug, Default)]
struct About {
    operation: &'static str,
    method: Method,
    path: Option<PathAndQuery>,
}

/// A request on its way.
struct Sent<F> {
    /// The future of the transport, which is in a box.
    response: F,
    about: About,
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
    pub(crate) fn call<'a, E: Endpoint>(
        &'a self,
        endpoint: &E,
        call: Call,
    ) -> impl Future<Output = Result<E::Response, Error>> + use<'a, E> {
        let request = self.manner.request(endpoint, call);
        self.answered(request, Answer::into_message)
    }

    /// Sends a message as JSON; the body of a success is ignored.
    pub(crate) fn call_void<'a, E: Endpoint>(
        &'a self,
        endpoint: &E,
        call: Call,
    ) -> impl Future<Output = Result<(), Error>> + use<'a, E> {
        let request = self.manner.request(endpoint, call);
        self.answered(request, Answer::into_nothing)
    }

    /// Sends a request; `read` interprets the answer. A failure is reported to telemetry.
    pub(crate) fn exchange<T, R: FnOnce(Answer) -> Result<T, Error>>(
        &self,
        request: Request<Body>,
        read: R,
    ) -> impl Future<Output = Result<T, Error>> + use<'_, T, R> {
        self.answered(Ok(request), read)
    }

    /// Sends a request, if it could be made.
    ///
    /// An async function would reserve space for its request in the future of every caller. Here the request is passed to the
    /// transport before there is a future.
    pub(crate) fn answered<T, R: FnOnce(Answer) -> Result<T, Error>>(
        &self,
        request: Result<Request<Body>, Error>,
        read: R,
    ) -> impl Future<Output = Result<T, Error>> + use<'_, T, R> {
        let sent = request.map(|request| {
            let report = self.telemetry.as_ref();
            let report = report.map(|to| Box::new((to, Call::of(&request), Instant::now())));
            (self.dispatch(request), report)
        });
        async move {
            let (mut sent, report) = sent?;
            let result = match self.receive(&mut sent).await {
                Ok(answer) => read(answer),
                Err(error) => Err(error.into()),
            };
            if let (Err(error), Some(report)) = (&result, report) {
                let (telemetry, call, began) = *report;
                telemetry.call_failed(&call, error, began);
            }
            result
        }
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
    pub(crate) fn send(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Answer, TransportError>> + use<'_> {
        let mut sent = self.dispatch(request);
        async move { self.receive(&mut sent).await }
    }

    /// Passes a request to the transport, which sends it when the answer is waited for.
    fn dispatch(
        &self,
        mut request: Request<Body>,
    ) -> Sent<impl Future<Output = Result<Response<Body>, TransportError>> + Send + Unpin + use<>>
    {
        // The transport reads the body within the attempt, so that an interrupted one is retried.
        let mut operation = "request";
        if let Some(call) = request.extensions_mut().get_mut::<Call>() {
            call.whole = Some(self.answer_limit);
            operation = call.operation;
        }
        self.manner.complete(&mut request);
        self.watch(&mut request);
        let about = About {
            operation,
            method: request.method().clone(),
            path: request.uri().path_and_query().cloned(),
        };
        Sent {
            response: self.transport.call(request),
            about,
        }
    }

    /// Waits for an answer and reads it.
    async fn receive(
        &self,
        sent: &mut Sent<impl Future<Output = Result<Response<Body>, TransportError>> + Unpin>,
    ) -> Result<Answer, TransportError> {
        let result = (&mut sent.response).await;
        let (mut answer, rest) = self.judge(&mut sent.about, result)?;
        if let Some(rest) = rest {
            answer.body = Box::pin(rest.collect(self.answer_limit)).await?;
        }
        Ok(answer)
    }

    /// Interprets the head of an answer. A body that is still to be read is returned.
    fn judge(
        &self,
        about: &mut About,
        result: Result<Response<Body>, TransportError>,
    ) -> Result<(Answer, Option<Body>), TransportError> {
        let outcome = Disposition::of(&result).outcome;
        self.note(result.as_ref().err());
        let (head, body) = result?.into_parts();
        self.deprecations.log(about.operation, &head.headers);
        let content_type = head.headers.get(CONTENT_TYPE);
        let is_protobuf = content_type
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.contains(proto::CONTENT_TYPE));
        let whole = body.as_bytes();
        let whole = whole.filter(|whole| whole.len() as u64 <= self.answer_limit);
        let answer = Answer {
            status: head.status,
            outcome,
            form: if is_protobuf {
                Form::Protobuf
            } else {
                Form::Json
            },
            headers: Table::from(head.headers),
            body: whole.cloned().unwrap_or_default(),
            about: std::mem::take(about),
            attempts: head
                .extensions
                .get::<Effort>()
                .map_or(1, |effort| effort.attempts),
        };
        let is_whole = whole.is_some();
        Ok((answer, Some(body).filter(|_| !is_whole)))
    }
}

impl Answer {
    /// The message of a success, or the error of the status.
    pub(crate) fn into_message<T: serde::de::DeserializeOwned>(self) -> Result<T, Error> {
        let answer = self.into_success()?;
        Ok(codec::from_json(answer.about.operation, &answer.body)?)
    }

    /// Checks for a success; otherwise the error of the status.
    pub(crate) fn into_nothing(self) -> Result<(), Error> {
        self.into_success().map(drop)
    }

    fn into_success(self) -> Result<Self, Error> {
        if self.status.is_success() {
            return Ok(self);
        }
        let operation = self.about.operation;
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
            method: &self.about.method,
            path: self.about.path.as_ref().map_or("", PathAndQuery::path),
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
