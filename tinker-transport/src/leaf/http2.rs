//! Connections in HTTP/2, each shared by requests and driven by a task.

use std::pin::pin;
use std::sync::{Arc, Mutex, Weak};

use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::{Instant, timeout};

use super::client::{IDLE, KEEP_ALIVE};
use super::server::Server;
use super::stream::Stream;
use crate::body::Body;
use crate::mutex::lock;

/// Open connections, at most one for each server.
#[derive(Default)]
pub(super) struct Http2(Arc<Open>);

type Open = Mutex<Vec<Shared>>;

struct Shared {
    server: Server,
    sender: SendRequest<Body>,
    used_at: Instant,
}

impl Http2 {
    /// The open connection to a server.
    pub(super) fn find(&self, server: &Server) -> Option<SendRequest<Body>> {
        let mut open = lock(&self.0);
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
        let mut open = lock(&self.0);
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
/// A connection ends when its last sender and its last response are gone.
async fn drive(connection: Connection<TokioIo<Stream>, Body, TokioExecutor>, open: Weak<Open>) {
    let mut connection = pin!(connection);
    loop {
        match timeout(IDLE, connection.as_mut()).await {
            Ok(Ok(())) => return,
            // Its requests fail with the same error.
            Ok(Err(error)) => return tracing::debug!(%error, "an HTTP/2 connection broke"),
            Err(_) => {
                if let Some(open) = open.upgrade() {
                    lock(&open).retain(|shared| shared.used_at.elapsed() < IDLE);
                }
            }
        }
    }
}
