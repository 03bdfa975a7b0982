//! Network leaf on `hyper`.

use std::fmt;
use std::sync::Arc;

use http::header::PROXY_AUTHORIZATION;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::client::{ClientError, Failure, HttpClient, KEEP_ALIVE, Setup};
use super::connector::{Connector, TimedOut};
use super::network::Leaf;
use super::proxy::is_socks;
use crate::body::Body;
use crate::error::TransportError;
use crate::request::outgoing::Outgoing;
use crate::service::{Answer, Inner, always_ready};
use crate::stack::config::TransportConfig;

/// Leaf that speaks HTTP over TCP and TLS.
///
/// - rustls with ring; the system's root certificates; HTTP/2 if the server supports it, else HTTP/1.1;
/// - separate connections for each class, more of them under load (see
///   [`ClassLimits::per_connection`](crate::ClassLimits::per_connection)); a connection that returned an empty 400 is
///   not reused;
/// - `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` and the system's proxy settings are respected; proxies may speak HTTP,
///   HTTPS, SOCKS 4 or SOCKS 5;
/// - a request that an HTTP/2 server states it did not process (`GOAWAY`, `REFUSED_STREAM`) is sent again at once;
/// - no other retries, no redirects, cookies or decompression; layers provide them.
///
/// Clones share connections. Dropping a call resets its HTTP/2 stream or closes its connection.
#[derive(Clone)]
pub struct Network {
    leaf: Arc<Leaf<HyperClient>>,
}

impl Network {
    /// A leaf for the server, limits and certificates of `config`. Connects on first use.
    ///
    /// # Errors
    /// [`Kind::Config`](crate::Kind::Config) if the certificates or the proxy are invalid.
    pub fn from_config(config: &TransportConfig) -> Result<Self, TransportError> {
        let leaf = Arc::new(Leaf::from_config(config)?);
        Ok(Self { leaf })
    }
}

always_ready!(Network, |network, request| {
    let leaf = Arc::clone(&network.leaf);
    Box::pin(async move { leaf.send(request).await })
});

/// For the default stack, without the box of the service's future.
impl Inner for Network {
    async fn run(&self, request: &mut Outgoing) -> Answer {
        self.leaf.send(request.take()).await
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.leaf.describe("Network", f)
    }
}

/// A client with its connections.
struct HyperClient {
    client: Client<Connector, Body>,
    proxies: Option<Arc<Matcher>>,
}

impl HyperClient {
    /// The credential for an HTTP proxy that receives the request itself, as it does for `http://`.
    fn proxy_credential(&self, uri: &Uri) -> Option<HeaderValue> {
        if uri.scheme() != Some(&Scheme::HTTP) {
            return None;
        }
        let proxy = self.proxies.as_ref()?.intercept(uri)?;
        proxy
            .basic_auth()
            .filter(|_| !is_socks(proxy.uri()))
            .cloned()
    }
}

impl HttpClient for HyperClient {
    type Body = Incoming;

    fn build(setup: Setup<'_>) -> Result<Self, TransportError> {
        let proxies = setup.proxy.matcher();
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .http2_keep_alive_interval(KEEP_ALIVE)
            .http2_keep_alive_timeout(KEEP_ALIVE)
            .http2_only(setup.is_http2);
        let connector = Connector::new(setup.tls, proxies.clone(), setup.connect_timeout);
        Ok(Self {
            client: builder.build(connector),
            proxies,
        })
    }

    async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>, ClientError> {
        let uri = request.uri();
        let is_complete = matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty());
        if !is_complete {
            return Err(ClientError {
                failure: Failure::Request,
                source: "the URI has no http:// or https://, or no host".into(),
            });
        }
        if let Some(credential) = self.proxy_credential(uri) {
            request
                .headers_mut()
                .insert(PROXY_AUTHORIZATION, credential);
        }
        self.client.request(request).await.map_err(|error| {
            let failure = match &error {
                error if !error.is_connect() => Failure::Connection,
                error if TimedOut::is_cause_of(error) => Failure::ConnectTimeout,
                _ => Failure::Connect,
            };
            ClientError {
                failure,
                source: error.into(),
            }
        })
    }
}
