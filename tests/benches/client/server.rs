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
use crate::target::HOST;

/// Streams of an HTTP/2 connection: more than any client has in flight.
const STREAMS: u32 = 100_000;

/// Prints the base URLs without and with TLS, and serves until the input ends. Writes the certificate to a file.
pub(crate) async fn run(certificate: &str) -> Outcome<()> {
    let acceptor = acceptor(certificate)?;
    let plain = TcpListener::bind("127.0.0.1:0").await?;
    let secure = TcpListener::bind("127.0.0.1:0").await?;
    let port = secure.local_addr()?.port();
    println!("http://{} https://{HOST}:{port}", plain.local_addr()?);
    let input =
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    tokio::select! {
        served = serve(plain, None) => served,
        served = serve(secure, Some(acceptor)) => served,
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

async fn serve(listener: TcpListener, acceptor: Option<TlsAcceptor>) -> Outcome<()> {
    let answers = Arc::new(Answers::new());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (answers, acceptor) = (Arc::clone(&answers), acceptor.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(Arc::clone(&answers), request));
            let mut server = Builder::new(TokioExecutor::new());
            server.http2().max_concurrent_streams(STREAMS);
            // A client that closes its connection is no failure.
            let _ended = match acceptor {
                None => server.serve_connection(TokioIo::new(stream), service).await,
                Some(acceptor) => {
                    let stream = acceptor.accept(stream).await?;
                    server.serve_connection(TokioIo::new(stream), service).await
                }
            };
            Outcome::Ok(())
        });
    }
}

async fn respond(
    answers: Arc<Answers>,
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
    Ok(answers.to(&path, &beginning))
}
