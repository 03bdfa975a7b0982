//! The shape every layer of this crate wraps and is.

use std::future::Future;
use std::pin::Pin;

use http::{Request, Response};
use tower::Service;

use crate::body::Body;
use crate::error::TransportError;

/// The one seam: `Service<http::Request<Body>, Response = http::Response<Body>>`.
///
/// Implemented for everything that fits, never by hand. A service with another error or body type
/// fits after [`Transport::new`](crate::Transport::new).
///
/// Layers of this crate are ready at once and wait for their inner service inside the future
/// (`inner.clone().oneshot(request)`). A layer that reserved its inner service early and then
/// waited for something of its own, above the retry layer, could wait for ever.
pub trait HttpService:
    Service<
        Request<Body>,
        Response = Response<Body>,
        Error = TransportError,
        Future: Send + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> HttpService for S where
    S: Service<
            Request<Body>,
            Response = Response<Body>,
            Error = TransportError,
            Future: Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// The boxed future the layers of this crate return.
pub type ResponseFuture =
    Pin<Box<dyn Future<Output = Result<Response<Body>, TransportError>> + Send>>;
