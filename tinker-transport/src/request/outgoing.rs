//! A request on its way through a stack.

use std::ops::{Deref, DerefMut};

use http::Request;

use crate::body::Body;
use crate::request::spare::Spare;

/// A request on its way through layers of this crate.
pub(crate) struct Outgoing {
    request: Request<Body>,
    /// The request as the retry layer received it. Layers between that change nothing but the URI, so that the redirect
    /// layer needs no copy of its own.
    pub(crate) copy: Option<Spare>,
}

impl Outgoing {
    pub(crate) fn new(request: Request<Body>) -> Self {
        Self {
            request,
            copy: None,
        }
    }

    /// Takes the request out, to be sent. An empty one stays.
    pub(crate) fn take(&mut self) -> Request<Body> {
        std::mem::take(&mut self.request)
    }

    /// Puts in another request.
    pub(crate) fn set(&mut self, request: Request<Body>) {
        self.request = request;
    }
}

impl Deref for Outgoing {
    type Target = Request<Body>;

    fn deref(&self) -> &Request<Body> {
        &self.request
    }
}

impl DerefMut for Outgoing {
    fn deref_mut(&mut self) -> &mut Request<Body> {
        &mut self.request
    }
}
