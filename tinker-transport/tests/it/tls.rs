//! TLS and HTTP/2, against a server with a test certificate.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, Version};
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tinker_transport::policy::{Never, Policy, Standard};
use tinker_transport::{
    Body, Call, Class, Kind, Replay, Stage, Transport, TransportConfig, TransportError,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::leaf::over_network;

/// A server for `localhost` that responds after 200 ms, and what it recorded: connection and version.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) certificate: String,
    accepted: Arc<AtomicUsize>,
    is_http1: Arc<AtomicBool>,
    is_silent: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<(usize, Version)>>>,
}

/// Requests that the server accepts at a time on a connection in HTTP/2.
const STREAMS: u32 = 150;

impl Server {
    pub(crate) async fn start() -> Self {
        let (certificate, mut config) = crate::certificate::localhost();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let old = TlsAcceptor::from(Arc::new(config.clone()));
        config.alpn_protocols.insert(0, b"h2".to_vec());
        let new = TlsAcceptor::from(Arc::new(config));

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let accepted = Arc::new(AtomicUsize::new(0));
        let is_http1 = Arc::new(AtomicBool::new(false));
        let is_silent = Arc::new(AtomicBool::new(false));
        let silent = Arc::clone(&is_silent);
        let (counter, only_http1) = (Arc::clone(&accepted), Arc::clone(&is_http1));
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                counter.fetch_add(1, Ordering::Relaxed);
                let log = Arc::clone(&log);
                let is_old = only_http1.load(Ordering::Relaxed);
                let acceptor = if is_old { old.clone() } else { new.clone() };
                let is_silent = silent.load(Ordering::Relaxed);
                tokio::spawn(async move {
                    if is_silent {
                        std::future::pending::<()>().await;
                    }
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return; // the client did not like the certificate
                    };
                    let service =
                        tower::service_fn(move |request: Request<hyper::body::Incoming>| {
                            log.lock().unwrap().push((connection, request.version()));
                            async {
                                tokio::time::sleep(Duration::from_millis(200)).await;
                                Ok::<_, Infallible>(Response::new(Full::new(
                                    bytes::Bytes::from_static(b"answer"),
                                )))
                            }
                        });
                    let mut builder = Builder::new(TokioExecutor::new());
                    builder.http2().max_concurrent_streams(STREAMS);
                    let _ = builder
                        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
                        .await;
                });
            }
        });
        Self {
            address,
            certificate,
            accepted,
            is_http1,
            is_silent,
            seen,
        }
    }

    pub(crate) fn config(&self) -> TransportConfig {
        TransportConfig::new(format!("https://localhost:{}", self.address.port()))
    }

    /// Versions in use so far, each once.
    pub(crate) fn versions(&self) -> Vec<Version> {
        let mut versions: Vec<_> = self
            .seen
            .lock()
            .unwrap()
            .iter()
            .map(|(_, version)| *version)
            .collect();
        versions.dedup();
        versions
    }

    /// New connections get HTTP/1.1 only, as behind another load balancer.
    fn offer_only_http1(&self) {
        self.is_http1.store(true, Ordering::Relaxed);
    }

    /// Number of connections so far.
    fn connections(&self) -> usize {
        let mut connections: Vec<_> = self
            .seen
            .lock()
            .unwrap()
            .iter()
            .map(|(connection, _)| *connection)
            .collect();
        connections.sort_unstable();
        connections.dedup();
        connections.len()
    }
}

/// A server and a transport that trusts it.
async fn connected() -> (Server, Transport) {
    let server = Server::start().await;
    let config = server
        .config()
        .with_root_certificates(server.certificate.clone());
    let transport = over_network(config).unwrap();
    (server, transport)
}

/// A poll that is not repeated.
fn poll(transport: &Transport) -> tokio::task::JoinHandle<Result<Response<Body>, TransportError>> {
    let call = Call::new("x", Class::Retrieve).with_policy(Never);
    let request = Request::get("/x").extension(call).body(Body::empty());
    tokio::spawn(transport.call(request.unwrap()))
}

async fn at_once(transport: &Transport, class: Class, calls: usize) {
    let calls: Vec<_> = (0..calls)
        .map(|_| {
            let call = Call::new("x", class).with_policy(Never);
            let request = Request::post("/x")
                .extension(call)
                .body(Body::from("hello"))
                .unwrap();
            tokio::spawn(transport.call(request))
        })
        .collect();
    for call in calls {
        let response = call.await.unwrap().unwrap();
        assert_eq!(response.into_body().collect(100).await.unwrap(), "answer");
    }
}

#[tokio::test]
async fn http2_is_spoken_and_connections_fill_up_by_class() {
    let (server, transport) = connected().await;

    at_once(&transport, Class::Rest, 1).await;
    assert_eq!(server.versions(), [Version::HTTP_2]);
    at_once(&transport, Class::Retrieve, 120).await;
    let so_far = server.connections();
    assert_eq!(so_far, 1 + 2, "100 on each, before the limit is known");
    // reqwest does not say what the server accepts.
    let most = if cfg!(feature = "reqwest") { 200 } else { 300 };
    at_once(&transport, Class::Retrieve, most).await;
    assert_eq!(server.connections(), so_far, "used again, 150 on each");
    at_once(&transport, Class::Retrieve, most + 1).await;
    assert_eq!(server.connections(), so_far + 1, "one more than fit");
    at_once(&transport, Class::Rest, 51).await;
    assert_eq!(server.connections(), so_far + 2, "50 of others on each");
    at_once(&transport, Class::Train, 4).await;
    let so_far = so_far + 6;
    assert_eq!(server.connections(), so_far, "each upload has its own");
    assert_eq!(server.versions(), [Version::HTTP_2]);
    let accepted = server.accepted.load(Ordering::Relaxed);
    assert_eq!(accepted, so_far, "no connection was opened in vain");
}

#[tokio::test]
async fn a_connection_that_is_unused_for_long_is_closed() {
    let (server, transport) = connected().await;
    at_once(&transport, Class::Rest, 1).await;
    at_once(&transport, Class::Rest, 1).await;
    at_once(&transport, Class::Rest, 1).await;
    assert_eq!(server.connections(), 2);

    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(91)).await;
    tokio::time::advance(Duration::from_secs(91)).await;
    tokio::time::resume();
    at_once(&transport, Class::Rest, 1).await;
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn requests_that_wait_for_the_same_connection_give_up_together() {
    let server = Server::start().await;
    let wait = Duration::from_secs(10);
    let config = server
        .config()
        .with_root_certificates(server.certificate.clone());
    let transport = over_network(config).unwrap();
    at_once(&transport, Class::Rest, 1).await;

    // A connection is accepted, and nothing comes over it.
    server.is_silent.store(true, Ordering::Relaxed);
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    let calls: Vec<_> = (0..20).map(|_| poll(&transport)).collect();
    for call in calls {
        let result = call.await.unwrap();
        assert_eq!(result.unwrap_err().kind(), Kind::Connect);
    }
    assert!(start.elapsed() < 3 * wait, "{:?}", start.elapsed());
}

// In hyper-util's client, on which reqwest is, the connection that was begun is waited for.
#[cfg(not(feature = "reqwest"))]
#[tokio::test]
async fn a_request_opens_the_connection_when_the_one_that_began_was_dropped() {
    let (server, transport) = connected().await;
    at_once(&transport, Class::Rest, 1).await;

    server.is_silent.store(true, Ordering::Relaxed);
    let accepted = server.accepted.load(Ordering::Relaxed);
    let first = poll(&transport);
    while server.accepted.load(Ordering::Relaxed) == accepted {
        tokio::task::yield_now().await;
    }
    let second = poll(&transport);
    tokio::task::yield_now().await;
    server.is_silent.store(false, Ordering::Relaxed);
    first.abort();
    assert_eq!(second.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_server_that_gives_up_http2_is_met_again() {
    let (server, transport) = connected().await;
    at_once(&transport, Class::Rest, 1).await;
    at_once(&transport, Class::Rest, 1).await;

    server.offer_only_http1();
    let twice = Standard::new().with_attempt_limit(2);
    let call = Call::new("x", Class::Session)
        .with_replay(Replay::Safe)
        .with_policy(twice);
    let request = Request::post("/x")
        .extension(call)
        .body(Body::from("hello"))
        .unwrap();
    let response = transport.call(request).await.unwrap();
    assert_eq!(
        (response.version(), response.status().as_u16()),
        (Version::HTTP_11, 200)
    );
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_refused_before_anything_is_sent() {
    let server = Server::start().await;
    let transport = over_network(server.config()).unwrap();
    let call = Call::new("x", Class::Rest).with_policy(Never);
    let request = Request::post("/x")
        .extension(call)
        .body(Body::from("hello"))
        .unwrap();
    let error = transport.call(request).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.stage()),
        (Kind::Config, Stage::NotSent)
    );
    assert!(error.to_string().contains("is not trusted"), "{error}");
    assert_eq!(server.connections(), 0);
}

/// The error of a call with the default retries.
async fn refusal(base_url: String) -> TransportError {
    let transport = over_network(TransportConfig::new(base_url)).unwrap();
    let request = Request::get("/x").body(Body::empty()).unwrap();
    transport.call(request).await.unwrap_err()
}

#[tokio::test]
async fn https_on_a_port_without_tls_is_named_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
            let _ = stream.write_all(answer).await;
            let _ = stream.read(&mut [0; 64]).await;
        }
    });
    let error = refusal(format!("https://{address}")).await;
    let fix = format!("this port does not speak TLS; try http://{address}");
    assert!(error.to_string().contains(&fix), "{error}");
    assert_eq!((error.kind(), error.attempts()), (Kind::Config, 1));
}

#[tokio::test]
async fn http_on_a_port_with_tls_is_named_at_once() {
    let server = Server::start().await;
    let error = refusal(format!("http://{}", server.address)).await;
    let fix = format!("try https://{}", server.address);
    assert!(error.to_string().contains(&fix), "{error}: {error:?}");
    assert_eq!((error.kind(), error.attempts()), (Kind::Config, 1));
}
