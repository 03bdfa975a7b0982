//! The network leaf over any HTTP library.

use std::error::Error as StdError;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Request, Response, Version};
use http_body::{Body as _, Frame, SizeHint};

use super::client::{ClientError, HttpClient, Setup, UNSTATED};
use super::failure::Route;
use super::http2_servers::Http2Servers;
use super::pool::{Lease, Pool};
use super::proxy::ProxyChoice;
use super::tls;
use crate::body::Body;
use crate::error::TransportError;
use crate::flow::class::{Class, PerClass};
use crate::flow::limits::ClassLimits;
use crate::policy::is_edge_rejection;
use crate::request::call::Call;
use crate::request::spare::Spare;
use crate::stack::config::TransportConfig;

/// Repeats of a request that an HTTP/2 server did not process. Each such connection serves some requests before it
/// closes, so a request is served long before.
const UNPROCESSED: usize = 200;
/// Responses up to this size are read with their head where they have arrived.
const SMALL: u64 = 64 * 1024;

/// A leaf over clients of one HTTP library.
pub(super) struct Leaf<C> {
    /// Clients that accept the version a server offers.
    negotiating: PerClass<Arc<Pool<C>>>,
    /// Clients for servers known to speak HTTP/2, with one connection each.
    multiplexing: PerClass<Arc<Pool<C>>>,
    http2: Http2Servers,
    limits: PerClass<ClassLimits>,
    tls: rustls::ClientConfig,
    route: Route,
    proxy: ProxyChoice,
}

impl<C: HttpClient> Leaf<C> {
    pub(super) fn from_config(config: &TransportConfig) -> Result<Self, TransportError> {
        let is_clear = config.base_url.trim_start().starts_with("http://");
        let identity = config.client_certificate.as_ref();
        let tls = if is_clear && config.root_certificates.is_empty() && identity.is_none() {
            tls::unused_config()?
        } else {
            tls::client_config(&config.root_certificates, identity)?
        };
        let pool = |class| Arc::new(Pool::new(config.limits.get(class).per_connection.get()));
        let proxy = ProxyChoice::new(&config.proxy)?;
        Ok(Self {
            negotiating: PerClass::from_fn(pool),
            multiplexing: PerClass::from_fn(pool),
            http2: Http2Servers::default(),
            limits: config.limits.clone(),
            tls,
            route: Route::through(proxy.matcher()),
            proxy,
        })
    }

    /// A client for a server, for which is known how many requests it accepts on a connection in HTTP/2.
    fn lease(&self, class: Class, streams: Option<usize>) -> Result<Lease<C>, TransportError> {
        let is_http2 = streams.is_some();
        let pools = if is_http2 {
            &self.multiplexing
        } else {
            &self.negotiating
        };
        let most = streams.unwrap_or(usize::MAX);
        pools
            .get(class)
            .lease(most, || self.client(class, is_http2))
    }

    fn client(&self, class: Class, is_http2: bool) -> Result<C, TransportError> {
        let mut tls = self.tls.clone();
        if is_http2 {
            tls.alpn_protocols.truncate(1);
        }
        C::build(Setup {
            tls,
            proxy: &self.proxy,
            connect_timeout: self.limits.get(class).connect_timeout,
            is_http2,
        })
    }

    /// Sends a request, and sends it again at once where the server states that it did not process it.
    pub(super) async fn send(
        &self,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, TransportError> {
        state_length(&mut request);
        let class = Call::find(&request).class;
        // They are not sent, and a copy would cost more than that of the headers.
        request.extensions_mut().clear();
        let mut left = UNPROCESSED;
        loop {
            // Only HTTP/2 servers state it.
            let streams = self.http2.streams(request.uri());
            // Boxed, as requests over HTTP/1.1 need none.
            let again = if streams.is_some() && left > 0 {
                Spare::of(&request).map(Box::new)
            } else {
                None
            };
            let error = match self.send_once(request, class, streams).await {
                Ok(response) => return Ok(response),
                Err(NoAnswer::Other(error)) => return Err(error),
                Err(NoAnswer::Unprocessed(error)) => error,
            };
            let Some(again) = again else {
                return Err(error);
            };
            tracing::debug!(error = &error as &dyn StdError, "sending the request again");
            left -= 1;
            request = again.to_request();
            tokio::task::yield_now().await;
        }
    }

    async fn send_once(
        &self,
        request: Request<Body>,
        class: Class,
        streams: Option<usize>,
    ) -> Result<Response<Body>, NoAnswer> {
        let uri = request.uri().clone();
        let lease = self.lease(class, streams)?;
        let response = match lease.client().send(request).await {
            Ok(response) => response,
            Err(error) => {
                let is_unprocessed = is_unprocessed(&error);
                let is_connect = error.failure.is_connect();
                let error = self.route.explain(error, &uri);
                if is_unprocessed {
                    return Err(NoAnswer::Unprocessed(error));
                }
                if streams.is_some() && is_connect {
                    self.http2.forget(&uri);
                    lease.retire();
                }
                return Err(error.into());
            }
        };
        self.route.note_answer();
        if response.version() == Version::HTTP_2 {
            let streams = lease.client().streams().unwrap_or(UNSTATED);
            self.http2.learn(&uri, response.version(), streams);
            lease.allow(streams);
        }
        let mut response = response.map(|body| Leased {
            body,
            lease,
            first: None,
        });
        if is_edge_rejection(&response) {
            response.body().lease.retire();
        }
        if let Some(whole) = response.body_mut().whole().await {
            return Ok(response.map(|_| whole.into()));
        }
        Ok(response.map(Body::new))
    }

    /// Writes the settings, for `Debug`.
    pub(super) fn describe(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The end of a try without a response.
enum NoAnswer {
    /// The server states that it did not process the request.
    Unprocessed(TransportError),
    Other(TransportError),
}

impl From<TransportError> for NoAnswer {
    fn from(error: TransportError) -> Self {
        Self::Other(error)
    }
}

/// States the length of an empty body, which HTTP libraries leave out. Some servers answer 411 without it.
fn state_length(request: &mut Request<Body>) {
    let usually_has_body = matches!(
        *request.method(),
        Method::POST | Method::PUT | Method::PATCH
    );
    if usually_has_body && request.body().is_end_stream() {
        let zero = HeaderValue::from_static("0");
        request.headers_mut().entry(CONTENT_LENGTH).or_insert(zero);
    }
}

/// Whether an HTTP/2 server states that it did not process the request: it refused the stream, or it is closing the
/// connection and processed only streams before this one.
fn is_unprocessed(error: &ClientError) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&*error.source);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            let is_closing = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
            let is_refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
            return error.is_remote() && (is_closing || is_refused);
        }
        cause = error.source();
    }
    false
}

/// A body that marks its connection as busy until it is dropped.
struct Leased<B: http_body::Body, C> {
    body: B,
    lease: Lease<C>,
    /// A frame that was read ahead.
    first: Option<Result<Frame<Bytes>, B::Error>>,
}

impl<B: http_body::Body<Data = Bytes> + Unpin, C> Leased<B, C> {
    /// The whole body, if it is small and has arrived with the head of the response, as most do. It needs no box then,
    /// here and in the layers outside. Does not wait.
    async fn whole(&mut self) -> Option<Bytes> {
        let length = self.body.size_hint().exact()?;
        if length == 0 || length > SMALL {
            return None;
        }
        let frame = poll_fn(|context| Poll::Ready(Pin::new(&mut self.body).poll_frame(context)));
        let Poll::Ready(Some(first)) = frame.await else {
            return None;
        };
        match first.map(Frame::into_data) {
            Ok(Ok(data)) if data.len() as u64 == length && self.body.is_end_stream() => {
                return Some(data);
            }
            Ok(Ok(data)) => self.first = Some(Ok(Frame::data(data))),
            Ok(Err(other)) => self.first = Some(Ok(other)),
            Err(error) => self.first = Some(Err(error)),
        }
        None
    }
}

impl<B, C> http_body::Body for Leased<B, C>
where
    B: http_body::Body<Data = Bytes, Error: Unpin> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.body.size_hint();
        let ahead = match &self.first {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len) as u64,
            _ => return rest,
        };
        rest.exact()
            .map_or(rest, |rest| SizeHint::with_exact(ahead + rest))
    }
}

/// The error of a client that cannot be set up.
#[cfg(feature = "reqwest")]
pub(super) fn unusable(source: impl Into<crate::error::BoxError>) -> TransportError {
    use crate::error::{Kind, Stage};
    let what = "the HTTP client cannot be set up";
    TransportError::new(Kind::Config, Stage::NotBuilt, what).with_source(source)
}
