//! Puts the base URL before the path.

use http::Request;
use std::sync::Arc;

use super::around::{Around, tower_layer};
use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::service::{Answer, Inner};

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

tower_layer!(BaseLayer makes Base);

impl Around for BaseLayer {
    async fn around(&self, request: &mut Request<Body>, inner: &impl Inner) -> Answer {
        if !self.base.is_home_of(request.uri()) {
            request.extensions_mut().insert(Elsewhere);
        }
        *request.uri_mut() = self.base.join(request.uri())?;
        inner.run(request).await
    }
}
