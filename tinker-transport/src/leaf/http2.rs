//! Connections in HTTP/2, each shared by requests and driven by a task.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::{Instant, timeout};

use super::client::{IDLE, KEEP_ALIVE, UNSTATED};
use super::server::Server;
use super::stream::Stream;
use crate::body::Body;
use crate::mutex::lock;

/// Open connections, at most one for each server.
#[derive(Default)]
pub(super) struct Http2(Arc<Open>);

struct Open {
    connections: Mutex<Vec<Shared>>,
    /// The limit of the server that stated one last.
    streams: AtomicUsize,
}

impl Default for Open {
    fn default() -> Self {
        Self {
            connections: Mutex::default(),
            streams: UNSTATED.into(),
        }
    }
}

struct Shared {
    server: Server,
    sender: SendRequest<Body>,
    used_at: Instant,
}

impl Http2 {
    /// Requests that the server accepts at a time on a connection.
    pub(super) fn streams(&self) -> usize {
        self.0.streams.load(Ordering::Relaxed)
    }

    /// The open connection to a server.
    pub(super) fn find(&self, server: &Server) -> Option<SendRequest<Body>> {
        let mut open = lock(&self.0.connections);
        let at = open.iter().position(|shared| shared.server == *server)?;
        if open[at].sender.is_closed() {
            open.swap_remove(at);
            return None;
        }
        let shared = &mut open[at];
        shared.used_at = Instant::now();
        Some(shared.sender.clone())
    }

    /// Speaks HTTP/2 over a stream. If there is a connection to the server already, the new one serves only its first
    /// request.
    pub(super) async fn begin(
        &self,
        server: &Server,
        stream: TokioIo<Stream>,
    ) -> hyper::Result<SendRequest<Body>> {
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .handshake(stream)
            .await?;
        let mut open = lock(&self.0.connections);
        open.retain(|shared| !shared.sender.is_closed());
        if open.iter().all(|shared| shared.server != *server) {
            open.push(Shared {
                server: server.clone(),
                sender: sender.clone(),
                used_at: Instant::now(),
            });
        }
        drop(open);
        tokio::spawn(drive(connection, Arc::downgrade(&self.0)));
        Ok(sender)
    }
}

/// Drives a connection, and looks from time to time which connections are no longer used.
///
/// hyper reads frames in another task. This one runs when a request is sent, and learns of a limit with the next request.
/// A connection ends when its last sender and its last response are gone.
async fn drive(connection: Connection<TokioIo<Stream>, Body, TokioExecutor>, open: Weak<Open>) {
    let mut connection = pin!(connection);
    loop {
        let driven = poll_fn(|context| {
            let end = connection.as_mut().poll(context);
            if end.is_pending()
                && let Some(open) = open.upgrade()
            {
                let streams = connection.current_max_send_streams().max(1);
                open.streams.store(streams, Ordering::Relaxed);
            }
            end
        });
        match timeout(IDLE, driven).await {
            Ok(Ok(())) => return,
            // Its requests fail with the same error.
            Ok(Err(error)) => return tracing::debug!(%error, "an HTTP/2 connection broke"),
            Err(_) => {
                if let Some(open) = open.upgrade() {
                    lock(&open.connections).retain(|shared| shared.used_at.elapsed() < IDLE);
                }
            }
        }
    }
}
