//! Base URL layer.

use http::Request;
use std::sync::Arc;

use super::around::{Around, tower_layer};
use crate::body::Body;
use crate::request::base_url::BaseUrl;
use crate::request::outgoing::Outgoing;
use crate::service::{Answer, Inner};

/// Turns `/api/v1/...` into a complete URI.
///
/// A URI with a host is not changed. If it leads to another server, the request is marked, and the inner layers add no
/// credential and no configured headers.
///
/// # Order
/// Outside [`AuthLayer`](super::AuthLayer) and [`HeaderLayer`](super::HeaderLayer). Wrong: inside them, where the mark
/// comes too late and the key is sent to any host that a URI names.
#[derive(Debug, Clone)]
pub struct BaseLayer {
    base: Arc<BaseUrl>,
}

/// Request extension: this request leads to another server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elsewhere;

/// Whether this request leads to the configured server.
pub(super) fn is_at_home(request: &Request<Body>) -> bool {
    request.extensions().get::<Elsewhere>().is_none()
}

impl BaseLayer {
    /// Prefixes every path with `base`.
    pub fn new(base: BaseUrl) -> Self {
        Self {
            base: Arc::new(base),
        }
    }
}

tower_layer!(BaseLayer makes Base);

impl Around for BaseLayer {
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        if !self.base.is_home_of(request.uri()) {
            request.extensions_mut().insert(Elsewhere);
        }
        *request.uri_mut() = self.base.join(request.uri())?;
        inner.run(request).await
    }
}
