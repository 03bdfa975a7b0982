//! Layers from async functions.

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

/// Creates a layer from an async function of a state, the request and the rest of the stack. Each call gets a clone of
/// the state, as a shared state is usually an [`Arc`](std::sync::Arc).
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// use http::{Request, Response};
/// use tinker_transport::layer::{Next, from_fn_with_state};
/// use tinker_transport::{Body, Transport, TransportError};
///
/// async fn count(
///     sent: Arc<AtomicUsize>,
///     request: Request<Body>,
///     next: Next,
/// ) -> Result<Response<Body>, TransportError> {
///     sent.fetch_add(1, Ordering::Relaxed);
///     next.run(request).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), TransportError> {
/// # let leaf = tower::service_fn(|_: Request<Body>| async {
/// #     Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
/// # });
/// let sent = Arc::new(AtomicUsize::new(0));
/// let transport = Transport::new(leaf).layer(from_fn_with_state(Arc::clone(&sent), count));
/// transport.call(Request::new(Body::empty())).await?;
/// assert_eq!(sent.load(Ordering::Relaxed), 1);
/// # Ok(())
/// # }
/// ```
pub fn from_fn_with_state<T, F, Fut>(
    state: T,
    function: F,
) -> FromFnLayer<impl Fn(Request<Body>, Next) -> Fut + Clone + Send + Sync + 'static>
where
    T: Clone + Send + Sync + 'static,
    F: Fn(T, Request<Body>, Next) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Response<Body>, TransportError>> + Send + 'static,
{
    from_fn(move |request, next| function(state.clone(), request, next))
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
