//! `Transport`: any HTTP service behind one small type.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tower::{Layer, Service};

use crate::body::Body;
use crate::error::{BoxError, TransportError};
use crate::service::{Answer, Foreign, Inner, ResponseFuture};

/// An HTTP service of any making, behind one type without parameters.
///
/// Cheap to clone, `Send` and `Sync`; clones share connections, permits and state. Get one from
/// [`from_config`](Self::from_config) (the default stack over the network), from
/// [`TransportBuilder`](crate::TransportBuilder) (the default stack with your layers, over any
/// leaf), or from [`new`](Self::new) (your service, and nothing else).
///
/// Dropping the future of a call cancels it: permits return, timers end, the connection is closed
/// or its stream reset. Whether the server did the work by then is unknown.
#[derive(Clone)]
pub struct Transport {
    // Shared, so that a clone is a count and a call is one box; `tower`'s boxes copy the service
    // itself for each clone.
    service: Arc<dyn Erased>,
}

/// An [`Inner`] whose future is boxed, so that its type can be forgotten.
trait Erased: Send + Sync {
    fn call(self: Arc<Self>, request: Request<Body>) -> ResponseFuture;
}

impl<I: Inner> Erased for I {
    fn call(self: Arc<Self>, mut request: Request<Body>) -> ResponseFuture {
        Box::pin(async move { self.run(&mut request).await })
    }
}

impl Transport {
    /// Takes any HTTP service: an axum router, an engine in this process, a fake, a closure.
    ///
    /// Nothing is added, no retries and no timeouts. For those, hand the service to
    /// [`TransportBuilder::leaf`](crate::TransportBuilder::leaf).
    ///
    /// ```
    /// # use tinker_transport::{Body, Transport};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tinker_transport::TransportError> {
    /// let echo = tower::service_fn(|request: http::Request<Body>| async move {
    ///     Ok::<_, std::convert::Infallible>(http::Response::new(request.into_body()))
    /// });
    /// let transport = Transport::new(echo);
    /// let answer = transport.call(http::Request::new(Body::from("hello"))).await?;
    /// assert_eq!(answer.into_body().collect(100).await?, "hello");
    /// # Ok(())
    /// # }
    /// ```
    pub fn new<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self::of(Foreign(service))
    }

    /// Erases a stack composed in this crate.
    pub(crate) fn of(inner: impl Inner) -> Self {
        Self {
            service: Arc::new(inner),
        }
    }

    /// Wraps a layer round this transport: the last one added sees a call first.
    ///
    /// Any layer fits that gives an HTTP service, those of `tower-http` included. Here it sees
    /// whole calls, retries hidden; to see every try, use
    /// [`TransportBuilder::attempt_layer`](crate::TransportBuilder::attempt_layer).
    #[must_use]
    pub fn layer<L, B>(self, layer: L) -> Self
    where
        L: Layer<Self>,
        L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
        <L::Service as Service<Request<Body>>>::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self::new(layer.layer(self))
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// # Errors
    /// Only where there is no answer. A status such as 404 or 503 is an answer, also when retries
    /// ran out on it.
    pub fn call(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Body>, TransportError>> + Send + 'static + use<> {
        Arc::clone(&self.service).call(request)
    }
}

impl Inner for Transport {
    fn run(&self, request: &mut Request<Body>) -> impl Future<Output = Answer> + Send {
        self.call(std::mem::take(request))
    }
}

impl Service<Request<Body>> for Transport {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        Arc::clone(&self.service).call(request)
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::call::Call;
    use crate::class::Class;
    use crate::fixture::{request, scripted};

    #[tokio::test]
    async fn the_future_of_a_call_is_small() {
        fn check<T: Send + Sync + Clone + 'static>(_: &T) {}
        let (transport, _) = scripted(&[]);
        check(&transport);
        let call = transport.call(request(Call::new("x", Class::Rest)));
        assert!(size_of_val(&call) < 1024, "{} bytes", size_of_val(&call));
        call.await.unwrap();
    }
}
