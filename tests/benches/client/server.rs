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
use tokio::net::TcpListener;

use crate::Outcome;
use crate::answers::Answers;

/// Prints the base URL and serves until the input ends.
pub(crate) async fn run() -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let input =
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    tokio::select! {
        served = serve(listener) => served,
        end = input => Ok(end?.map(drop)?),
    }
}

async fn serve(listener: TcpListener) -> Outcome<()> {
    let answers = Arc::new(Answers::new());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answers = Arc::clone(&answers);
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(Arc::clone(&answers), request));
            let server = Builder::new(TokioExecutor::new());
            let served = server.serve_connection(TokioIo::new(stream), service);
            // A client that closes its connection is no failure.
            let _ended = served.await;
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
