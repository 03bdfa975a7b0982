//! A bare HTTP client: over TCP one connection for each request in flight, over TLS one or several HTTP/2 connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::Outcome;
use crate::target::{HOST, Target};

/// A client with its connections. Clones share them.
#[derive(Clone)]
pub(crate) enum Http {
    Pool(Client<HttpConnector, Full<Bytes>>),
    Connections(Arc<Connections>),
}

/// HTTP/2 connections, used in turn.
pub(crate) struct Connections {
    all: Vec<SendRequest<Full<Bytes>>>,
    next: AtomicUsize,
}

impl Http {
    /// A client with one connection over TLS.
    pub(crate) async fn new(target: &Target) -> Outcome<Self> {
        Self::with_connections(target, 1).await
    }

    /// A client with so many connections over TLS.
    pub(crate) async fn with_connections(target: &Target, connections: usize) -> Outcome<Self> {
        if let Some(certificate) = &target.certificate {
            let mut all = Vec::with_capacity(connections);
            for _ in 0..connections {
                all.push(secure(&target.url, certificate).await?);
            }
            let next = AtomicUsize::new(0);
            return Ok(Self::Connections(Arc::new(Connections { all, next })));
        }
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self::Pool(client))
    }

    /// Sends a copy of a request, and drops the answer when it has arrived.
    pub(crate) async fn send(&self, call: &Request<Bytes>) -> Outcome<()> {
        let mut body = self.call(call).await?.into_body();
        while let Some(frame) = body.frame().await {
            frame?;
        }
        Ok(())
    }

    /// Bytes that the server has sent and received so far.
    pub(crate) async fn traffic(&self, url: &str) -> Outcome<u64> {
        let mut call = Request::new(Bytes::new());
        *call.uri_mut() = format!("{url}/traffic").parse()?;
        let text = self.call(&call).await?.into_body().collect().await?;
        Ok(std::str::from_utf8(&text.to_bytes())?.parse()?)
    }

    async fn call(&self, call: &Request<Bytes>) -> Outcome<Response<Incoming>> {
        let mut request = Request::new(Full::new(call.body().clone()));
        *request.method_mut() = call.method().clone();
        *request.uri_mut() = call.uri().clone();
        request.headers_mut().clone_from(call.headers());
        Ok(match self {
            Self::Pool(client) => client.request(request).await?,
            Self::Connections(connections) => {
                let Connections { all, next } = &**connections;
                let at = next.fetch_add(1, Ordering::Relaxed) % all.len();
                all[at].clone().send_request(request).await?
            }
        })
    }
}

async fn secure(url: &str, certificate: &[u8]) -> Outcome<SendRequest<Full<Bytes>>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate)?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let port = url.parse::<Uri>()?.port_u16().ok_or("no port")?;
    let stream = TcpStream::connect((HOST, port)).await?;
    stream.set_nodelay(true)?;
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector
        .connect(ServerName::try_from(HOST)?, stream)
        .await?;
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}
