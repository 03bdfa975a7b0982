//! Network leaf on `hyper`.

#![expect(
    clippy::large_futures,
    reason = "the future of a request is in one box, with that of its exchange"
)]

use std::fmt;
use std::sync::Arc;

use http::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::client::{ClientError, Failure, HttpClient, KEEP_ALIVE, Setup};
use super::connector::{Connector, TimedOut};
use super::http1::{Failed, Http1, Reading};
use super::network::Leaf;
use crate::body::Body;
use crate::error::{BoxError, TransportError};
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
    /// For `https://`, where the server chooses the version.
    client: Client<Connector, Body>,
    /// For `http://`.
    clear: Http1,
}

impl HttpClient for HyperClient {
    type Body = Reading;

    fn build(setup: Setup<'_>) -> Result<Self, TransportError> {
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .http2_keep_alive_interval(KEEP_ALIVE)
            .http2_keep_alive_timeout(KEEP_ALIVE)
            .http2_only(setup.is_http2);
        let connector = Connector::new(setup.tls, setup.proxy.matcher(), setup.connect_timeout);
        Ok(Self {
            client: builder.build(connector.clone()),
            clear: Http1::new(connector),
        })
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Reading>, ClientError> {
        let uri = request.uri();
        let has_host = uri.host().is_some_and(|host| !host.is_empty());
        match uri.scheme_str() {
            Some("http") if has_host => {
                let result = self.clear.send(request).await;
                result.map_err(|failed| match failed {
                    Failed::Connect(source) => unconnected(source),
                    Failed::Exchange(error) => broken(error.into()),
                })
            }
            Some("https") if has_host => match self.client.request(request).await {
                Ok(response) => Ok(response.map(Reading::driven)),
                Err(error) if error.is_connect() => Err(unconnected(error.into())),
                Err(error) => Err(broken(error.into())),
            },
            _ => Err(ClientError {
                failure: Failure::Request,
                source: "the URI has no http:// or https://, or no host".into(),
            }),
        }
    }
}

fn unconnected(source: BoxError) -> ClientError {
    let failure = if TimedOut::is_cause_of(&*source) {
        Failure::ConnectTimeout
    } else {
        Failure::Connect
    };
    ClientError { failure, source }
}

fn broken(source: BoxError) -> ClientError {
    ClientError {
        failure: Failure::Connection,
        source,
    }
}
