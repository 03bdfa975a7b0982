//! Limits of one class of traffic in a profile.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Deserialize;
use tinker_transport::ClassLimits;

/// Limits of one class of traffic. Unset ones keep their default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct LimitSettings {
    /// Concurrent requests.
    pub concurrency: Option<NonZeroUsize>,
    /// Total bytes of concurrent requests.
    pub bytes: Option<u32>,
    /// Timeout of one attempt, in seconds.
    pub timeout: Option<u32>,
    /// Timeout for opening a connection, in seconds.
    pub connect_timeout: Option<u32>,
    /// Concurrent requests per connection.
    pub per_connection: Option<NonZeroUsize>,
}

impl LimitSettings {
    /// Sets what is set here.
    pub(super) fn apply(self, limits: &mut ClassLimits) {
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        limits.concurrency = self.concurrency.or(limits.concurrency);
        limits.bytes = self.bytes.or(limits.bytes);
        limits.timeout = self.timeout.map_or(limits.timeout, seconds);
        limits.connect_timeout = self.connect_timeout.map_or(limits.connect_timeout, seconds);
        limits.per_connection = self.per_connection.unwrap_or(limits.per_connection);
    }
}
