//! Tower service of an engine.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;
use tracing::Instrument;

use crate::LocalBody;
use crate::api;
use crate::shared::Shared;

/// A [`tower_service::Service`] for requests with any body, without a port. Cheap to clone.
///
/// It is always ready and never fails: errors are responses with a status. Dropping the future of a request abandons the
/// response, but not an operation that the request has started. Requests must be polled inside a tokio runtime with its
/// clock enabled; different requests can use different runtimes.
#[derive(Clone)]
pub struct LocalService {
    shared: Arc<Shared>,
}

impl LocalService {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl fmt::Debug for LocalService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalService").finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for LocalService
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<LocalBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let span = tracing::debug_span!("local_request", method = %request.method(), path = request.uri().path());
        let answer = api::respond(Arc::clone(&self.shared), request);
        Box::pin(async move { Ok(answer.await) }.instrument(span))
    }
}
