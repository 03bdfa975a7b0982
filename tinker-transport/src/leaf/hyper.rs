//! Network leaf on `hyper`.

use std::fmt;
use std::sync::Arc;

use http::{Request, Response, Uri};
use hyper::client::conn::http2::SendRequest;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::client::{ClientError, Failure, HttpClient, Setup};
use super::connector::{Connector, TimedOut};
use super::http1::Http1;
use super::http2::Http2;
use super::link::Link;
use super::network::Leaf;
use super::reading::Reading;
use super::server::Server;
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
    connector: Connector,
    http1: Http1,
    http2: Http2,
    /// The server is known to speak HTTP/2, so that one connection is enough. Whoever opens it holds this.
    opening: Option<Mutex<()>>,
}

/// A connection for a request.
enum Way {
    Own(Box<Link>),
    Shared(SendRequest<Body>),
}

impl HyperClient {
    /// A connection that is open already.
    fn known(&self, server: &Server) -> Option<Way> {
        if server.is_secure()
            && let Some(sender) = self.http2.find(server)
        {
            return Some(Way::Shared(sender));
        }
        self.http1.take(server).map(Way::Own)
    }

    /// Opens a connection. `None`: another request has opened one that both can use.
    async fn open(&self, uri: &Uri, server: &Server) -> Result<Option<Way>, ClientError> {
        let Some(opening) = self.opening.as_ref().filter(|_| server.is_secure()) else {
            return self.connect(uri, server).await.map(Some);
        };
        // Not longer than the other may take, so that requests do not time out one after another.
        let turn = timeout(self.connector.timeout(), opening.lock()).await;
        let _turn = turn.map_err(|_| unconnected(TimedOut.into()))?;
        if self.http2.find(server).is_some() {
            return Ok(None);
        }
        self.connect(uri, server).await.map(Some)
    }

    async fn connect(&self, uri: &Uri, server: &Server) -> Result<Way, ClientError> {
        let stream = self.connector.connect(uri.clone()).await;
        let stream = stream.map_err(unconnected)?;
        let way = if stream.inner().is_http2() {
            self.http2.begin(server, stream).await.map(Way::Shared)
        } else if self.opening.is_some() && server.is_secure() {
            return Err(unconnected("the server no longer offers HTTP/2".into()));
        } else {
            let credential = if server.is_secure() {
                None
            } else {
                self.connector.proxy_credential(uri)
            };
            Link::begin(server, stream, credential).await.map(Way::Own)
        };
        way.map_err(|error| broken(error.into()))
    }
}

impl HttpClient for HyperClient {
    type Body = Reading;

    fn build(setup: Setup<'_>) -> Result<Self, TransportError> {
        Ok(Self {
            connector: Connector::new(setup.tls, setup.proxy.matcher(), setup.connect_timeout),
            http1: Http1::default(),
            http2: Http2::default(),
            opening: setup.is_http2.then(Mutex::default),
        })
    }

    fn streams(&self) -> Option<usize> {
        Some(self.http2.streams())
    }

    async fn send(&self, mut request: Request<Body>) -> Result<Response<Reading>, ClientError> {
        let uri = request.uri().clone();
        let server = Server::of(&uri).ok_or_else(|| ClientError {
            failure: Failure::Request,
            source: "the URI has no http:// or https://, or no host".into(),
        })?;
        loop {
            let known = self.known(&server);
            let is_new = known.is_none();
            let way = match known {
                Some(way) => way,
                None => match Box::pin(self.open(&uri, &server)).await? {
                    Some(way) => way,
                    None => continue,
                },
            };
            let mut error = match way {
                Way::Own(mut link) => match link.exchange(&uri, request).await {
                    Ok(response) => {
                        let place = self.http1.clone();
                        return Ok(response.map(|incoming| Reading::new(incoming, link, place)));
                    }
                    Err(error) => error,
                },
                Way::Shared(mut sender) => match sender.try_send_request(request).await {
                    Ok(response) => return Ok(response.map(Reading::driven)),
                    Err(error) => error,
                },
            };
            match error.take_message() {
                // The server closed the connection before anything was written.
                Some(unsent) if !is_new => {
                    request = unsent;
                    request.uri_mut().clone_from(&uri);
                }
                _ => return Err(broken(error.into_error().into())),
            }
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
