//! Connections to servers, directly or through a proxy.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV4, SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower::Service;

use super::failure::causes;
use super::proxy::is_socks;
use super::stream::Stream;
use crate::error::BoxError;

/// Time without traffic before the system checks a connection, between checks, and number of checks.
const TCP_KEEP_ALIVE: Duration = Duration::from_secs(15);
const TCP_CHECKS: u32 = 3;
/// Time after which data that was not acknowledged breaks a connection.
#[cfg(target_os = "linux")]
const TCP_UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// Opens connections.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector,
    tls: TlsConnector,
    /// For proxies that speak TLS themselves, with HTTP/1.1.
    proxy_tls: TlsConnector,
    proxies: Option<Arc<Matcher>>,
    timeout: Duration,
}

impl Connector {
    pub(super) fn new(tls: ClientConfig, proxies: Option<Arc<Matcher>>, timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeout));
        tcp.set_keepalive(Some(TCP_KEEP_ALIVE));
        tcp.set_keepalive_interval(Some(TCP_KEEP_ALIVE));
        tcp.set_keepalive_retries(Some(TCP_CHECKS));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(TCP_UNACKNOWLEDGED));
        let mut proxy_tls = tls.clone();
        proxy_tls.alpn_protocols.clear();
        Self {
            tcp,
            tls: Arc::new(tls).into(),
            proxy_tls: Arc::new(proxy_tls).into(),
            proxies,
            timeout,
        }
    }

    /// Time to open a connection.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Opens a connection to a server, in time.
    pub(super) async fn connect(&self, server: Uri) -> Result<TokioIo<Stream>, BoxError> {
        match tokio::time::timeout(self.timeout, self.clone().open(server)).await {
            Ok(stream) => Ok(TokioIo::new(stream?)),
            Err(_) => Err(TimedOut.into()),
        }
    }

    /// The credential for an HTTP proxy that receives the requests to a server themselves, as it does for `http://`.
    pub(super) fn proxy_credential(&self, server: &Uri) -> Option<HeaderValue> {
        let proxy = self.proxies.as_ref()?.intercept(server)?;
        proxy
            .basic_auth()
            .filter(|_| !is_socks(proxy.uri()))
            .cloned()
    }

    async fn open(mut self, server: Uri) -> Result<Stream, BoxError> {
        let proxy = self.proxies.as_ref().and_then(|all| all.intercept(&server));
        let is_secure = server.scheme() == Some(&Scheme::HTTPS);
        let Some(proxy) = proxy else {
            let stream = self.tcp.call(server.clone()).await?.into_inner();
            if !is_secure {
                return Ok(Stream::tcp(stream));
            }
            let stream = self.tls.connect(name_of(&server)?, stream).await?;
            return Ok(Stream::tls(stream));
        };
        if is_socks(proxy.uri()) {
            let stream = Stream::tcp(self.through_socks(&proxy, &server).await?);
            return if is_secure {
                self.secured(stream, &server).await
            } else {
                Ok(stream)
            };
        }
        if is_secure {
            let mut tunnel = Tunnel::new(proxy.uri().clone(), ToProxy(self.clone()));
            if let Some(credential) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(credential.clone());
            }
            let stream = tunnel.call(server.clone()).await?.into_inner();
            return self.secured(stream, &server).await;
        }
        // The proxy receives the request itself.
        let stream = self.open_proxy(proxy.uri().clone()).await?;
        Ok(stream.for_proxy())
    }

    /// TLS with the server inside of a connection through a proxy.
    async fn secured(&self, stream: Stream, server: &Uri) -> Result<Stream, BoxError> {
        let stream = self.tls.connect(name_of(server)?, stream).await?;
        Ok(Stream::tls_through_proxy(stream))
    }

    async fn open_proxy(mut self, proxy: Uri) -> Result<Stream, BoxError> {
        let is_secure = proxy.scheme() == Some(&Scheme::HTTPS);
        let stream = self.tcp.call(proxy.clone()).await?.into_inner();
        if !is_secure {
            return Ok(Stream::tcp(stream));
        }
        let stream = self.proxy_tls.connect(name_of(&proxy)?, stream).await?;
        Ok(Stream::tls(stream))
    }

    async fn through_socks(&self, proxy: &Intercept, server: &Uri) -> Result<TcpStream, BoxError> {
        let (address, scheme) = (proxy.uri().clone(), proxy.uri().scheme_str());
        let resolves_here = matches!(scheme, Some("socks4" | "socks5"));
        let tcp = self.tcp.clone();
        let stream = if scheme.is_some_and(|scheme| scheme.starts_with("socks4")) {
            let mut socks = SocksV4::new(address, tcp).local_dns(resolves_here);
            socks.call(server.clone()).await?
        } else {
            let mut socks = SocksV5::new(address, tcp).local_dns(resolves_here);
            if let Some((user, password)) = proxy.raw_auth() {
                socks = socks.with_auth(user.to_owned(), password.to_owned());
            }
            socks.call(server.clone()).await?
        };
        Ok(stream.into_inner())
    }
}

/// Opens the connection to a proxy, for a tunnel through it.
#[derive(Clone)]
struct ToProxy(Connector);

impl Service<Uri> for ToProxy {
    type Response = TokioIo<Stream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Stream>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, proxy: Uri) -> Self::Future {
        let connector = self.0.clone();
        Box::pin(async move { connector.open_proxy(proxy).await.map(TokioIo::new) })
    }
}

/// The name in the certificate of a server. Certificates have no underscores: a host with some has hyphens there.
fn name_of(server: &Uri) -> Result<ServerName<'static>, BoxError> {
    let host = server.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok(ServerName::try_from(host.replace('_', "-"))?)
}

/// No connection was opened in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection in time")]
pub(super) struct TimedOut;

impl TimedOut {
    /// Whether an error comes from here, or from the time limit of a TCP connection.
    pub(super) fn is_cause_of(error: &(dyn StdError + 'static)) -> bool {
        causes(error).any(|cause| {
            let io = cause.downcast_ref::<std::io::Error>();
            cause.is::<Self>() || io.is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_underscore_of_a_host_is_a_hyphen_for_tls() {
        for (url, name) in [
            ("https://a_b.example.com:8443/x", "a-b.example.com"),
            ("https://plain.example.com", "plain.example.com"),
            ("https://[::1]:1/x", "::1"),
        ] {
            let named = name_of(&url.parse().unwrap()).unwrap();
            assert_eq!(named.to_str(), name);
        }
    }
}
