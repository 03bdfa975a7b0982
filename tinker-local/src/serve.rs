//! The engine on a socket.

use std::io;
use std::pin::pin;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

use crate::LocalEngine;

/// How long requests under way may take after the shutdown began.
const GRACE: Duration = Duration::from_secs(3);

/// Pause after a connection could not be accepted, usually for lack of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves an engine on a socket until `shutdown` is done, over HTTP/1.1 and, for clients that start with it, HTTP/2,
/// without TLS and accepting any key: bind to 127.0.0.1 unless everybody who can reach the port may use the engine.
///
/// After the shutdown began nothing new is accepted and requests under way get three seconds; fetches of results that
/// are not there yet are cut off after that. What was accepted goes on in the engine as long as it has a handle.
/// Dropping the future stops accepting at once and leaves open connections to end by themselves.
///
/// # Errors
/// None at present; failures to accept are logged and tried again.
pub async fn serve(
    listener: TcpListener,
    engine: LocalEngine,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(30));
    builder.http2().timer(TokioTimer::new());
    let graceful = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Answers are small and awaited: waiting to fill a packet only delays them.
        let _refused = stream.set_nodelay(true);
        let service = TowerToHyperService::new(engine.service());
        let connection = builder
            .serve_connection(TokioIo::new(stream), service)
            .into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = &*error, "a connection ended early");
            }
        });
    }
    drop(listener);
    let _cut_off = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    Ok(())
}
