//! Puts the base URL before the path.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::{Layer, Service, ServiceExt};

use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::error::TransportError;
use crate::service::{HttpService, ResponseFuture};

/// Turns `/api/v1/...` into a whole URI.
///
/// A URI with a host of its own is left as it is. If it leads to another server, the request is
/// marked, and the layers below add no credential and no configured headers to it.
///
/// # Order
/// Outside [`AuthLayer`](super::AuthLayer) and [`HeaderLayer`](super::HeaderLayer). Wrong: inside
/// them, where the mark comes too late and the key goes to whatever host a URI names.
#[derive(Debug, Clone)]
pub struct BaseLayer {
    base: Arc<BaseUrl>,
}

/// Request extension: this request leaves for another server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elsewhere;

/// Does this request go to the configured server?
pub(super) fn is_at_home(request: &Request<Body>) -> bool {
    request.extensions().get::<Elsewhere>().is_none()
}

impl BaseLayer {
    /// Puts `base` before every path.
    pub fn new(base: BaseUrl) -> Self {
        Self {
            base: Arc::new(base),
        }
    }
}

/// Service made by [`BaseLayer`].
#[derive(Debug, Clone)]
pub struct Base<S> {
    inner: S,
    base: Arc<BaseUrl>,
}

impl<S> Layer<S> for BaseLayer {
    type Service = Base<S>;

    fn layer(&self, inner: S) -> Base<S> {
        Base {
            inner,
            base: Arc::clone(&self.base),
        }
    }
}

impl<S: HttpService> Service<Request<Body>> for Base<S> {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> ResponseFuture {
        if !self.base.is_home_of(request.uri()) {
            request.extensions_mut().insert(Elsewhere);
        }
        match self.base.join(request.uri()) {
            Ok(uri) => {
                *request.uri_mut() = uri;
                Box::pin(self.inner.clone().oneshot(request))
            }
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}
