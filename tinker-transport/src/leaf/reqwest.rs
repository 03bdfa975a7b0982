//! Network leaf on `reqwest`.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use reqwest::Client;

use super::failure::{Route, unsent};
use super::http2::Http2Servers;
use super::pool::{Lease, Pool};
use super::proxy::ProxyChoice;
use super::tls;
use crate::body::Body;
use crate::error::{Kind, Stage, TransportError};
use crate::flow::class::{Class, PerClass};
use crate::flow::limits::ClassLimits;
use crate::policy::is_edge_rejection;
use crate::request::call::Call;
use crate::request::spare::Spare;
use crate::service::always_ready;
use crate::stack::config::TransportConfig;

/// Interval and time limit of the keep-alive check of an HTTP/2 connection in use.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Repeats of a request that an HTTP/2 server did not process. Each such connection serves some requests before it
/// closes, so a request is served long before.
const UNPROCESSED: usize = 200;

/// Leaf that speaks HTTP over TCP and TLS.
///
/// - rustls with ring; the system's root certificates; HTTP/2 if the server supports it, else HTTP/1.1;
/// - separate connections for each class, more of them under load (see
///   [`ClassLimits::per_connection`]); a connection that returned an empty 400 is not reused;
/// - `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` and the system's proxy settings are respected;
/// - a request that an HTTP/2 server states it did not process (`GOAWAY`, `REFUSED_STREAM`) is sent again at once;
/// - no other retries, no redirects, cookies or decompression; layers provide them.
///
/// Clones share connections. Dropping a call resets its HTTP/2 stream or closes its connection.
#[derive(Clone)]
pub struct Network {
    shared: Arc<Shared>,
}

struct Shared {
    /// Clients that accept the version a server offers.
    negotiating: PerClass<Arc<Pool<Client>>>,
    /// Clients for servers known to speak HTTP/2, with one connection each.
    multiplexing: PerClass<Arc<Pool<Client>>>,
    http2: Http2Servers,
    limits: PerClass<ClassLimits>,
    tls: rustls::ClientConfig,
    route: Route,
    proxy: ProxyChoice,
}

impl Network {
    /// A leaf for the server, limits and certificates of `config`. Connects on first use.
    ///
    /// # Errors
    /// [`Kind::Config`] if the certificates are invalid.
    pub fn from_config(config: &TransportConfig) -> Result<Self, TransportError> {
        let is_clear = config.base_url.trim_start().starts_with("http://");
        let identity = config.client_certificate.as_ref();
        let tls = if is_clear && config.root_certificates.is_empty() && identity.is_none() {
            tls::unused_config()?
        } else {
            tls::client_config(&config.root_certificates, identity)?
        };
        let pool = |class| Arc::new(Pool::new(config.limits.get(class).per_connection.get()));
        let proxy = ProxyChoice::new(&config.proxy)?;
        let shared = Shared {
            negotiating: PerClass::from_fn(pool),
            multiplexing: PerClass::from_fn(pool),
            http2: Http2Servers::default(),
            limits: config.limits.clone(),
            tls,
            route: Route::through(proxy.matcher()),
            proxy,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }
}

impl Shared {
    fn lease(&self, class: Class, is_http2: bool) -> Result<Lease<Client>, TransportError> {
        let pools = if is_http2 {
            &self.multiplexing
        } else {
            &self.negotiating
        };
        pools.get(class).lease(|| self.client(class, is_http2))
    }

    fn client(&self, class: Class, is_http2: bool) -> Result<Client, TransportError> {
        let mut tls = self.tls.clone();
        if is_http2 {
            tls.alpn_protocols.truncate(1);
        }
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(self.limits.get(class).connect_timeout)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .http2_keep_alive_timeout(KEEP_ALIVE)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false);
        let client = if is_http2 {
            client.http2_prior_knowledge()
        } else {
            client
        };
        let client = self.proxy.configure(client);
        let what = "the HTTP client cannot be set up";
        client.build().map_err(|error| {
            TransportError::new(Kind::Config, Stage::NotBuilt, what).with_source(error)
        })
    }

    /// Sends a request, and sends it again at once where the server states that it did not process it.
    async fn send(&self, mut request: Request<Body>) -> Result<Response<Body>, TransportError> {
        for _ in 0..UNPROCESSED {
            let again = Spare::of(&request);
            match (self.send_once(request).await, again) {
                (Err(Failure::Unprocessed(error)), Some(again)) => {
                    tracing::debug!(error = &error as &dyn StdError, "sending the request again");
                    request = again.into_request();
                    tokio::task::yield_now().await;
                }
                (result, _) => return result.map_err(Failure::into_error),
            }
        }
        self.send_once(request).await.map_err(Failure::into_error)
    }

    async fn send_once(&self, request: Request<Body>) -> Result<Response<Body>, Failure> {
        let uri = request.uri().clone();
        let is_http2 = self.http2.knows(&uri);
        let lease = self.lease(Call::of(&request).class, is_http2)?;
        let request = reqwest::Request::try_from(request.map(outgoing)).map_err(unsent)?;
        let response = match lease.client().execute(request).await {
            Ok(response) => http::Response::<reqwest::Body>::from(response).map(Body::new),
            Err(error) => {
                let is_unprocessed = is_unprocessed(&error);
                let error = self.route.explain(error, &uri);
                if is_unprocessed {
                    return Err(Failure::Unprocessed(error));
                }
                if is_http2 && error.is_connect() {
                    self.http2.forget(&uri);
                    lease.retire();
                }
                return Err(error.into());
            }
        };
        self.route.note_answer();
        self.http2.learn(&uri, response.version());
        if is_edge_rejection(&response) {
            lease.retire();
        }
        Ok(response.map(|body| match body.as_bytes() {
            Some(_) => body,
            None => leased(body, lease),
        }))
    }
}

/// The end of a try without a response.
enum Failure {
    /// The server states that it did not process the request.
    Unprocessed(TransportError),
    Other(TransportError),
}

impl Failure {
    fn into_error(self) -> TransportError {
        match self {
            Self::Unprocessed(error) | Self::Other(error) => error,
        }
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        Self::Other(error)
    }
}

/// Whether an HTTP/2 server states that it did not process the request: it refused the stream, or it is closing the
/// connection and processed only streams before this one.
fn is_unprocessed(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
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

always_ready!(Network, |network, request| {
    let shared = Arc::clone(&network.shared);
    Box::pin(async move { shared.send(request).await })
});

/// A function, because an `impl From` would be public.
fn outgoing(body: Body) -> reqwest::Body {
    match body.as_bytes() {
        Some(bytes) => bytes.clone().into(),
        None => reqwest::Body::wrap(body),
    }
}

/// A body that marks its connection as busy until it is dropped.
fn leased(body: Body, lease: Lease<Client>) -> Body {
    Body::new(body.map_err(move |error| {
        let _held = &lease;
        error
    }))
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("limits", &self.shared.limits)
            .finish_non_exhaustive()
    }
}
