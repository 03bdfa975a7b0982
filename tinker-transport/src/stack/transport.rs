//! Type-erased transport.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use http::{Request, Response};
use tower::Layer;

use crate::body::Body;
use crate::error::TransportError;
use crate::request::outgoing::Outgoing;
use crate::service::{Answer, AnyHttpService, Foreign, Inner, ResponseFuture, always_ready};

/// Any HTTP service behind one type without type parameters.
///
/// Cheap to clone, `Send` and `Sync`; clones share connections, permits and state. Created by
/// [`from_config`](Self::from_config) (the default stack over the network),
/// [`TransportBuilder`](crate::TransportBuilder) (the default stack with user layers, over any leaf), or
/// [`new`](Self::new) (any service, without the default stack).
///
/// Dropping the future of a call cancels it: permits and timers are released, the connection is closed or its stream
/// reset. Whether the server has done the work by then is unknown.
#[derive(Clone)]
pub struct Transport {
    // Shared, so that a clone increments a count and a call allocates one box; the boxes of `tower` copy the
    // service itself for each clone.
    service: Arc<dyn Erased>,
}

/// An [`Inner`] with a boxed future, so that its type can be erased.
trait Erased: Send + Sync {
    fn call(self: Arc<Self>, request: Request<Body>) -> ResponseFuture;
}

impl<I: Inner> Erased for I {
    fn call(self: Arc<Self>, request: Request<Body>) -> ResponseFuture {
        // Made in its box: `Box::pin` moves the future of the whole stack, some kilobytes, twice.
        let place = Box::new_uninit();
        let mut request = Outgoing::new(request);
        let future = Box::write(place, async move { self.run(&mut request).await });
        Box::into_pin(future)
    }
}

impl Transport {
    /// Wraps any HTTP service: an axum router, an engine in this process, a fake, a closure.
    ///
    /// Nothing is added: no retries and no timeouts. For those, pass the service to
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
    pub fn new(service: impl AnyHttpService) -> Self {
        Self::of(Foreign(service))
    }

    /// Erases the type of a stack composed in this crate.
    pub(crate) fn of(inner: impl Inner) -> Self {
        Self {
            service: Arc::new(inner),
        }
    }

    /// Wraps a layer around this transport: the last layer added is the outermost.
    ///
    /// Accepts any layer that yields an HTTP service, including those of `tower-http`. The layer sees whole calls, with
    /// retries hidden; to see every try, use
    /// [`TransportBuilder::attempt_layer`](crate::TransportBuilder::attempt_layer).
    #[must_use]
    pub fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<Self, Service: AnyHttpService>,
    {
        Self::new(layer.layer(self))
    }

    /// Sends a request and waits for the head of its response.
    ///
    /// # Errors
    /// There is no response. A status such as 404 or 503 is a response, even after all retries.
    pub fn call(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Body>, TransportError>> + Send + 'static + use<> {
        Arc::clone(&self.service).call(request)
    }
}

impl Inner for Transport {
    fn run(&self, request: &mut Outgoing) -> impl Future<Output = Answer> + Send {
        self.call(request.take())
    }
}

always_ready!(Transport, |transport, request| {
    Arc::clone(&transport.service).call(request)
});

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::{request, scripted};
    use crate::flow::class::Class;
    use crate::request::call::Call;

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
