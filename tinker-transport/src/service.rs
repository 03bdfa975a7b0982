//! Service traits of the stack.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::{Request, Response};
use tower::{Service, ServiceExt};

use crate::body::Body;
use crate::error::{BoxError, TransportError};
use crate::request::outgoing::Outgoing;

/// The service type of the whole stack: `Service<http::Request<Body>, Response = http::Response<Body>>`.
///
/// Implemented for all matching services. A service with another error or body type can be converted with
/// [`Transport::new`](crate::Transport::new).
///
/// Layers of this crate are always ready and wait for their inner service inside the future
/// (`inner.clone().oneshot(request)`). A layer above the retry layer that reserved its inner service first and then
/// waited for another resource could deadlock.
pub trait HttpService:
    AnyHttpService<ResponseBody = Body> + Service<Request<Body>, Error = TransportError>
{
}

impl<S> HttpService for S where
    S: AnyHttpService<ResponseBody = Body> + Service<Request<Body>, Error = TransportError>
{
}

/// An HTTP service with any response body and any error: an axum router, a `reqwest` client, an engine in this process.
///
/// Implemented for all matching services. [`Transport::new`](crate::Transport::new) converts one to an [`HttpService`].
pub trait AnyHttpService:
    Service<
        Request<Body>,
        Response = Response<Self::ResponseBody>,
        Error: Into<BoxError>,
        Future: Send + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
    /// Type of the response bodies.
    type ResponseBody: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static;
}

impl<S, B> AnyHttpService for S
where
    S: Service<
            Request<Body>,
            Response = Response<B>,
            Error: Into<BoxError>,
            Future: Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type ResponseBody = B;
}

/// Result of a service of this crate.
pub(crate) type Answer = Result<Response<Body>, TransportError>;

/// Boxed future that the layers of this crate return.
pub type ResponseFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Inner service of a layer: the rest of the stack, as an async function.
///
/// `tower`'s trait must name its future, which stable Rust allows only with a box. This trait need not, so the composed
/// layers of the default stack are one future in one box. A box for each would cost 13 allocations and 0.7 microseconds
/// a request (`benches/stack.rs`).
pub(crate) trait Inner: Send + Sync + 'static {
    /// Sends a request to the inner service. The request is taken out and replaced by an empty one.
    ///
    /// A reference, because a future reserves space for each argument: with values, a call through thirteen layers takes
    /// 17 KB instead of 6 KB, and half a microsecond more.
    fn run(&self, request: &mut Outgoing) -> impl Future<Output = Answer> + Send;
}

/// Any HTTP service as an [`Inner`], with its bodies and errors converted.
#[derive(Debug, Clone)]
pub(crate) struct Foreign<S>(pub(crate) S);

impl<S: AnyHttpService> Inner for Foreign<S> {
    async fn run(&self, request: &mut Outgoing) -> Answer {
        match self.0.clone().oneshot(request.take()).await {
            Ok(response) => Ok(response.map(Body::new)),
            Err(error) => Err(TransportError::from_boxed(error.into())),
        }
    }
}

/// Implements `tower::Service` for a type that is always ready.
macro_rules! always_ready {
    ($service:ty, |$this:ident, $request:ident| $future:expr) => {
        impl ::tower::Service<::http::Request<$crate::body::Body>> for $service {
            type Response = ::http::Response<$crate::body::Body>;
            type Error = $crate::error::TransportError;
            type Future = $crate::service::ResponseFuture;

            fn poll_ready(
                &mut self,
                _: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<Result<(), Self::Error>> {
                ::std::task::Poll::Ready(Ok(()))
            }

            fn call(&mut self, $request: ::http::Request<$crate::body::Body>) -> Self::Future {
                let $this = self;
                $future
            }
        }
    };
}

pub(crate) use always_ready;
