//! A server with prepared answers.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::Outcome;
use crate::answers::Answers;
use crate::counted::{Counted, traffic};
use crate::manner::{Manner, Work};
use crate::target::HOST;

/// Streams of an HTTP/2 connection: more than any client has in flight.
const STREAMS: u32 = 100_000;

/// Prints the base URLs without TLS, with TLS, and without TLS but with a count of bytes, and serves until the input ends.
/// Writes the certificate to a file.
pub(crate) async fn run(certificate: &str) -> Outcome<()> {
    let acceptor = acceptor(certificate)?;
    let plain = TcpListener::bind("127.0.0.1:0").await?;
    let secure = TcpListener::bind("127.0.0.1:0").await?;
    let counted = TcpListener::bind("127.0.0.1:0").await?;
    let port = secure.local_addr()?.port();
    println!(
        "http://{} https://{HOST}:{port} http://{}",
        plain.local_addr()?,
        counted.local_addr()?
    );
    let input =
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    let server = Arc::new(Server {
        answers: Answers::new(),
        work: Work::default(),
    });
    tokio::select! {
        served = serve(&server, plain, Kind::Plain) => served,
        served = serve(&server, secure, Kind::Secure(acceptor)) => served,
        served = serve(&server, counted, Kind::Counted) => served,
        end = input => Ok(end?.map(drop)?),
    }
}

/// An acceptor with a new certificate.
fn acceptor(file: &str) -> Outcome<TlsAcceptor> {
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
    std::fs::write(file, made.cert.pem())?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Kind of the connections of an address.
#[derive(Clone)]
enum Kind {
    Plain,
    Secure(TlsAcceptor),
    Counted,
}

async fn serve(server: &Arc<Server>, listener: TcpListener, kind: Kind) -> Outcome<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let stream = Counted {
            stream,
            counts: matches!(kind, Kind::Counted),
        };
        let kind = kind.clone();
        let server = Arc::clone(server);
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(Arc::clone(&server), request));
            let mut connection = Builder::new(TokioExecutor::new());
            connection.http2().max_concurrent_streams(STREAMS);
            // A client that closes its connection is no failure.
            let _ended = match kind {
                Kind::Plain | Kind::Counted => {
                    let stream = TokioIo::new(stream);
                    connection.serve_connection(stream, service).await
                }
                Kind::Secure(acceptor) => {
                    let stream = TokioIo::new(acceptor.accept(stream).await?);
                    connection.serve_connection(stream, service).await
                }
            };
            Outcome::Ok(())
        });
    }
}

struct Server {
    answers: Answers,
    work: Work,
}

async fn respond(
    server: Arc<Server>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let mut body = request.into_body();
    // The beginning tells what is asked; the rest is read and dropped.
    let mut beginning = Bytes::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(data) = frame.into_data()
            && beginning.is_empty()
        {
            beginning = data;
        }
    }
    Ok(match path.as_str() {
        // Asked by the measuring programs themselves.
        "/traffic" => Response::new(traffic().to_string().into()),
        "/large" => Response::new(server.answers.large().into()),
        path => match server.wait(path, &beginning).await {
            Ok(()) => server.answers.to(path, &beginning),
            Err(error) => {
                let mut response = Response::new(error.to_string().into());
                *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        },
    })
}

impl Server {
    /// Waits as long as a server that works.
    async fn wait(&self, path: &str, body: &[u8]) -> Outcome<()> {
        match Manner::of(path) {
            Some((Manner::Working(microseconds), "forward_backward")) => {
                self.work.add(microseconds)
            }
            Some((Manner::Working(_), "retrieve_future")) if Answers::asks_for("pass", body) => {
                self.work.done().await
            }
            _ => Ok(()),
        }
    }
}
