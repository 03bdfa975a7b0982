//! The HTTP library behind the leaf.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use super::proxy::ProxyChoice;
use crate::body::Body;
use crate::error::{BoxError, TransportError};

/// Interval and time limit of the keep-alive check of an HTTP/2 connection in use.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Time after which an unused connection is closed.
#[cfg(feature = "network")]
pub(super) const IDLE: Duration = Duration::from_secs(90);

/// Requests on a connection in HTTP/2 whose server has not stated its limit; the default of hyper. Few servers accept fewer.
pub(super) const UNSTATED: usize = 100;

/// Settings of a client.
pub(super) struct Setup<'a> {
    /// Offers HTTP/2 only, if `is_http2`.
    pub(super) tls: rustls::ClientConfig,
    pub(super) proxy: &'a ProxyChoice,
    pub(super) connect_timeout: Duration,
    /// The server is known to speak HTTP/2.
    pub(super) is_http2: bool,
}

/// A client of an HTTP library, with its own connections. It follows no redirects and repeats nothing.
pub(super) trait HttpClient: Sized + Send + Sync + 'static {
    /// Body of a response.
    type Body: http_body::Body<Data = Bytes, Error: Into<BoxError> + Send + Unpin>
        + Send
        + Unpin
        + 'static;

    /// # Errors
    /// [`Kind::Config`](crate::Kind::Config) if the library refuses the settings.
    fn build(setup: Setup<'_>) -> Result<Self, TransportError>;

    /// Requests that the server accepts at a time on a connection in HTTP/2; `None` if the library does not say.
    fn streams(&self) -> Option<usize>;

    /// Sends a request with a complete URI, and waits for the head of the response.
    fn send(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Self::Body>, ClientError>> + Send;
}

/// A request without a response.
#[derive(Debug)]
pub(super) struct ClientError {
    pub(super) failure: Failure,
    /// The error of the library, without the URL.
    pub(super) source: BoxError,
}

/// The part of a request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The request cannot be sent at all.
    Request,
    /// No connection was opened.
    Connect,
    /// No connection was opened in time.
    ConnectTimeout,
    /// The connection broke.
    Connection,
}

impl Failure {
    /// Whether no connection was opened.
    pub(super) fn is_connect(self) -> bool {
        matches!(self, Self::Connect | Self::ConnectTimeout)
    }
}
