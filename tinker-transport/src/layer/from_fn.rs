//! Layers from async closures.

use std::fmt;
use std::future::Future;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::{Layer, Service};

use crate::body::Body;
use crate::error::TransportError;
use crate::service::HttpService;
use crate::stack::transport::Transport;

/// Creates a layer from an async function of the request and the rest of the stack.
///
/// ```
/// use tinker_transport::{Body, Transport, layer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tinker_transport::TransportError> {
/// # let leaf = tower::service_fn(|request: http::Request<Body>| async move {
/// #     assert_eq!(request.headers()["x-team"], "blue");
/// #     Ok::<_, std::convert::Infallible>(http::Response::new(Body::empty()))
/// # });
/// let transport = Transport::new(leaf).layer(layer::from_fn(|mut request, next| async move {
///     request.headers_mut().insert("x-team", http::HeaderValue::from_static("blue"));
///     let response = next.run(request).await?;
///     println!("{}", response.status());
///     Ok(response)
/// }));
/// transport.call(http::Request::new(Body::empty())).await?;
/// # Ok(())
/// # }
/// ```
pub fn from_fn<F, Fut>(function: F) -> FromFnLayer<F>
where
    F: Fn(Request<Body>, Next) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Response<Body>, TransportError>> + Send + 'static,
{
    FromFnLayer { function }
}

/// The rest of the stack, as a [`from_fn`] layer sees it. Clone it to send more than once.
#[derive(Debug, Clone)]
pub struct Next(Transport);

impl Next {
    /// Sends the request to the inner layers.
    ///
    /// # Errors
    /// As for the inner layers.
    pub async fn run(self, request: Request<Body>) -> Result<Response<Body>, TransportError> {
        self.0.call(request).await
    }
}

/// Layer made by [`from_fn`].
#[derive(Clone)]
pub struct FromFnLayer<F> {
    function: F,
}

/// Service made by [`FromFnLayer`].
#[derive(Clone)]
pub struct FromFn<F> {
    function: F,
    next: Next,
}

impl<S: HttpService, F: Clone> Layer<S> for FromFnLayer<F> {
    type Service = FromFn<F>;

    fn layer(&self, inner: S) -> FromFn<F> {
        FromFn {
            function: self.function.clone(),
            next: Next(Transport::new(inner)),
        }
    }
}

impl<F, Fut> Service<Request<Body>> for FromFn<F>
where
    F: Fn(Request<Body>, Next) -> Fut,
    Fut: Future<Output = Result<Response<Body>, TransportError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = Fut;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Fut {
        (self.function)(request, self.next.clone())
    }
}

impl<F> fmt::Debug for FromFnLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFnLayer").finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn").finish_non_exhaustive()
    }
}
