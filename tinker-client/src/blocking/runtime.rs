//! The runtime of blocking clients.

use std::sync::Arc;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{ConfigError, Error};

/// A runtime that ends with the last client.
#[derive(Debug, Clone)]
pub(super) struct SharedRuntime {
    handle: Handle,
    _owned: Arc<Owned>,
}

#[derive(Debug)]
struct Owned(Option<Runtime>);

impl SharedRuntime {
    pub(super) fn start() -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("tinker-client")
            .enable_all()
            .build()
            .map_err(|error| ConfigError::new("no thread could be started").because(error))?;
        Ok(Self {
            handle: runtime.handle().clone(),
            _owned: Arc::new(Owned(Some(runtime))),
        })
    }

    /// Runs a call that may start tasks.
    pub(super) fn enter<T>(&self, call: impl FnOnce() -> T) -> T {
        let _context = self.handle.enter();
        call()
    }

    /// Waits for a future. It is made within the runtime, as making it may start tasks.
    pub(super) fn wait<F: Future>(&self, future: impl FnOnce() -> F) -> F::Output {
        self.handle.block_on(async { future().await })
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // In an async context, waiting for the end of the thread would panic.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
