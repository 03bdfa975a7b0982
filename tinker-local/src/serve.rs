//! Serving an engine on a socket.

mod guard;
mod patient;

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use self::guard::Guard;
use self::patient::Patient;
use crate::LocalEngine;

/// Time for running requests to finish after the shutdown began.
const GRACE: Duration = Duration::from_secs(3);

/// Time for the head of a request to arrive.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// Most bytes of the head of a request, and of a body that are read at a time.
const HEAD_BYTES: usize = 64 << 10;

/// Most concurrent requests on an HTTP/2 connection: a client may wait for that many samples.
const STREAMS: u32 = 4096;

/// Interval of keep-alive pings on HTTP/2 connections.
const SIGN_OF_LIFE: Duration = Duration::from_mins(1);

/// Pause after a failure to accept a connection, usually for lack of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves an engine on a socket until `shutdown` completes.
///
/// It speaks HTTP/1.1, and HTTP/2 with prior knowledge, without TLS. Unless the engine has
/// [accepted keys](crate::LocalEngineBuilder::api_key), bind to 127.0.0.1, or everyone who can reach the port may use it.
///
/// On a loopback address the host of a request must be this machine (`localhost`, `127.0.0.1`, `[::1]`), and so must the
/// origin of requests from web pages; others are refused with 403. Otherwise a page could use the engine through its
/// visitor's browser (DNS rebinding). On other addresses nothing is checked.
///
/// Connections are bounded by [`Limits::connections`](crate::Limits::connections). The head of a request must arrive
/// within 30 seconds, its body within [`Limits::body_time`](crate::Limits::body_time); a client that reads nothing of its
/// response for that long is disconnected.
///
/// After the shutdown began, no connections are accepted, and running requests have three seconds to finish; waiting
/// polls are cut off then. Accepted operations continue as long as the engine has a handle. Dropping the future stops
/// accepting at once; open connections continue until they end.
///
/// # Errors
/// The socket has no address. Failures to accept are logged and retried.
pub async fn serve(
    listener: TcpListener,
    engine: LocalEngine,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .max_buf_size(HEAD_BYTES)
        .header_read_timeout(HEAD_TIME);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(SIGN_OF_LIFE);
    let patience = engine.shared.operations.limits.body_time;
    let is_loopback = listener.local_addr()?.ip().is_loopback();
    let room = Arc::new(Semaphore::new(engine.shared.operations.limits.connections));
    let graceful = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    loop {
        // A permit first: connections in the system's queue cost nothing here.
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            next = next => next,
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
        // Responses are small: waiting to fill a packet would only delay them.
        let _refused = stream.set_nodelay(true);
        let service = TowerToHyperService::new(Guard::new(engine.service(), is_loopback));
        let connection = builder
            .serve_connection(TokioIo::new(Patient::new(stream, patience)), service)
            .into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(error) = connection.await {
                tracing::debug!(error = &*error, "a connection ended early");
            }
        });
    }
    drop(listener);
    let _cut_off = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    Ok(())
}
