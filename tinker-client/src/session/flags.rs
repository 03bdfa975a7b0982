//! Flags of the server: settings for its clients.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tinker_types::{ClientConfig, DynamicConfig};

/// The server's flags: fixed ones and dynamic ones.
#[derive(Debug)]
pub(crate) struct Flags {
    fixed: ClientConfig,
    dynamic: RwLock<DynamicConfig>,
    /// Whether the server has `client/dynamic_config`.
    is_dynamic: bool,
}

/// Shortest refresh interval in seconds, whatever the server asks for.
const LEAST_INTERVAL: u64 = 10;

impl Flags {
    /// `dynamic` is `None` for a server without such flags.
    pub(crate) fn new(fixed: ClientConfig, dynamic: Option<DynamicConfig>) -> Arc<Self> {
        Arc::new(Self {
            fixed,
            is_dynamic: dynamic.is_some(),
            dynamic: RwLock::new(dynamic.unwrap_or_default()),
        })
    }

    pub(crate) fn fixed(&self) -> &ClientConfig {
        &self.fixed
    }

    /// Whether dropped samples are cancelled on the server.
    pub(crate) fn cancels_samples(&self) -> bool {
        self.with_dynamic(|dynamic| dynamic.sample_cancel_enabled)
    }

    /// Number of cancellations to send concurrently.
    pub(crate) fn cancel_batch(&self) -> usize {
        self.with_dynamic(|dynamic| dynamic.sample_cancel_max_batch_size)
            .max(1) as usize
    }

    /// Time until the next refresh; `None` for a server without dynamic flags.
    pub(crate) fn refresh_interval(&self) -> Option<Duration> {
        let seconds = self.with_dynamic(|dynamic| dynamic.refresh_interval_sec);
        self.is_dynamic
            .then(|| Duration::from_secs(seconds.max(LEAST_INTERVAL)))
    }

    pub(crate) fn refresh(&self, dynamic: DynamicConfig) {
        *self.dynamic.write().unwrap_or_else(PoisonError::into_inner) = dynamic;
    }

    /// A copy of the dynamic flags.
    pub(crate) fn dynamic(&self) -> DynamicConfig {
        self.with_dynamic(DynamicConfig::clone)
    }

    fn with_dynamic<T>(&self, read: impl FnOnce(&DynamicConfig) -> T) -> T {
        read(&self.dynamic.read().unwrap_or_else(PoisonError::into_inner))
    }
}
