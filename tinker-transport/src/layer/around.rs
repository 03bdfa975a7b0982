//! Common base of the layers of this crate.

use std::future::Future;
use std::task::{Context, Poll};

use http::Request;
use tower::Service;

use crate::body::Body;
use crate::error::TransportError;
use crate::request::outgoing::Outgoing;
use crate::service::{Answer, Foreign, HttpService, Inner, ResponseFuture};

/// An async function around the rest of a stack. A layer of this crate implements only this;
/// [`Wrapped`] turns it into a `tower` service.
pub(crate) trait Around: Clone + Send + Sync + 'static {
    /// Processes one request and passes it to `inner`.
    fn around(
        &self,
        request: &mut Outgoing,
        inner: &impl Inner,
    ) -> impl Future<Output = Answer> + Send;
}

/// An optional layer.
impl<L: Around> Around for Option<L> {
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        match self {
            Some(layer) => layer.around(request, inner).await,
            None => inner.run(request).await,
        }
    }
}

/// A service wrapped in a layer of this crate.
///
/// As a `tower` service it boxes one future per call. Within the default stack it is an `Inner`, and only the whole
/// stack is boxed.
#[derive(Debug, Clone)]
pub struct Wrapped<L, S> {
    layer: L,
    inner: S,
}

impl<L, S> Wrapped<L, S> {
    pub(crate) fn new(layer: L, inner: S) -> Self {
        Self { layer, inner }
    }
}

impl<L: Around, S: Inner> Inner for Wrapped<L, S> {
    fn run(&self, request: &mut Outgoing) -> impl Future<Output = Answer> + Send {
        self.layer.around(request, &self.inner)
    }
}

impl<L: Around, S: HttpService> Service<Request<Body>> for Wrapped<L, S> {
    type Response = http::Response<Body>;
    type Error = TransportError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        let (layer, inner) = (self.layer.clone(), Foreign(self.inner.clone()));
        let mut request = Outgoing::new(request);
        Box::pin(async move { layer.around(&mut request, &inner).await })
    }
}

/// Implements `tower::Layer` for an [`Around`] type, and names its service.
macro_rules! tower_layer {
    ($layer:ident makes $service:ident) => {
        #[doc = concat!("Service made by [`", stringify!($layer), "`].")]
        pub type $service<S> = $crate::layer::Wrapped<$layer, S>;

        impl<S> ::tower::Layer<S> for $layer {
            type Service = $service<S>;

            fn layer(&self, inner: S) -> $service<S> {
                $crate::layer::Wrapped::new(self.clone(), inner)
            }
        }
    };
}

pub(crate) use tower_layer;
