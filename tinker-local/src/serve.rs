//! The engine on a socket.

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

/// How long requests under way may take after the shutdown began.
const GRACE: Duration = Duration::from_secs(3);

/// How long the head of a request may take to arrive.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// Bytes of the head of a request, which is also what is read of a body at a time.
const HEAD_BYTES: usize = 64 << 10;

/// Requests at the same time on one connection, over HTTP/2: a client may wait for that many samples.
const STREAMS: u32 = 4096;

/// How often an HTTP/2 connection is asked for a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_mins(1);

/// Pause after a connection could not be accepted, usually for lack of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves an engine on a socket until `shutdown` is done, over HTTP/1.1 and, for clients that start with it, HTTP/2,
/// without TLS and accepting any key: bind to 127.0.0.1 unless everybody who can reach the port may use the engine.
///
/// On a loopback address it answers only requests to this machine by name (`localhost`, `127.0.0.1`, `[::1]`), and those
/// of web pages only from there; others are refused with 403. A page anywhere could otherwise make its own name lead
/// here (DNS rebinding) and use the engine through its visitor's browser. On another address there is no such check.
///
/// Connections are bounded by [`Limits::connections`](crate::Limits::connections); the head of a request must arrive
/// within 30 seconds, its body within [`Limits::body_time`](crate::Limits::body_time), and a client that takes nothing of
/// its answer for that long is cut off.
///
/// After the shutdown began nothing new is accepted and requests under way get three seconds; fetches of results that
/// are not there yet are cut off after that. What was accepted goes on in the engine as long as it has a handle.
/// Dropping the future stops accepting at once and leaves open connections to end by themselves.
///
/// # Errors
/// The socket has no address. Failures to accept are logged and tried again.
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
        // A place first: what waits in the system's queue costs nothing here.
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
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
        // Answers are small and awaited: waiting to fill a packet only delays them.
        let _refused = stream.set_nodelay(true);
        let service = TowerToHyperService::new(Guard::new(engine.service(), is_loopback));
        let connection = builder
            .serve_connection(TokioIo::new(Patient::new(stream, patience)), service)
            .into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = connection.await {
                tracing::debug!(error = &*error, "a connection ended early");
            }
        });
    }
    drop(listener);
    let _cut_off = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    Ok(())
}
