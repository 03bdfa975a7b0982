//! Connections in HTTP/1.1 that no request uses.

use std::sync::{Arc, Mutex, Weak};

use tokio::task::AbortHandle;

use super::client::IDLE;
use super::link::Link;
use super::server::Server;
use crate::mutex::lock;

/// Open connections that no request uses. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Http1(Arc<Mutex<Unused>>);

#[derive(Default)]
struct Unused {
    #[expect(
        clippy::vec_box,
        reason = "a connection moves between here and requests, and is large"
    )]
    links: Vec<Box<Link>>,
    /// The task that closes those that are unused for long.
    sweeper: Option<AbortHandle>,
}

impl Drop for Unused {
    fn drop(&mut self) {
        if let Some(sweeper) = &self.sweeper {
            sweeper.abort();
        }
    }
}

impl Http1 {
    /// An open connection to a server, the one that was used last.
    pub(super) fn take(&self, server: &Server) -> Option<Box<Link>> {
        loop {
            let mut unused = lock(&self.0);
            let mut links = unused.links.iter();
            let at = links.rposition(|link| link.server == *server)?;
            let mut link = unused.links.remove(at);
            drop(unused);
            if link.is_usable() {
                return Some(link);
            }
        }
    }

    /// Keeps a connection for another request, if it is open.
    pub(super) fn put(&self, mut link: Box<Link>) {
        if !link.is_open() {
            return;
        }
        link.rest();
        let mut unused = lock(&self.0);
        unused.links.push(link);
        let is_swept = |sweeper: &AbortHandle| !sweeper.is_finished();
        if !unused.sweeper.as_ref().is_some_and(is_swept)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let sweeper = runtime.spawn(sweep(Arc::downgrade(&self.0)));
            unused.sweeper = Some(sweeper.abort_handle());
        }
    }
}

/// Closes connections that are unused for long, until there are none.
async fn sweep(unused: Weak<Mutex<Unused>>) {
    loop {
        tokio::time::sleep(IDLE).await;
        let Some(unused) = unused.upgrade() else {
            return;
        };
        let mut unused = lock(&unused);
        unused
            .links
            .retain(|link| link.unused_since.elapsed() < IDLE);
        if unused.links.is_empty() {
            unused.sweeper = None;
            return;
        }
    }
}
