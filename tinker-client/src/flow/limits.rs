//! Limits that the server sets.

use std::time::Duration;

use tinker_transport::{Class, TransportConfig};
use tinker_types::ClientConfig;

/// Replaces limits of the stack by those of the server that differ from the defaults.
pub(crate) fn with_server_limits(
    mut stack: TransportConfig,
    flags: &ClientConfig,
) -> TransportConfig {
    let usual = ClientConfig::default();
    let pause = flags.billing_exception_max_pause_duration_sec;
    if pause != usual.billing_exception_max_pause_duration_sec {
        stack.pause_limit = Duration::from_secs(pause);
    }
    let mut set = |class, bytes: u64, usual: u64| {
        if bytes != usual {
            stack.limits.get_mut(class).bytes = Some(u32::try_from(bytes).unwrap_or(u32::MAX));
        }
    };
    set(
        Class::Sample,
        flags.sample_dispatch_bytes_semaphore_size,
        usual.sample_dispatch_bytes_semaphore_size,
    );
    set(
        Class::Train,
        flags.fwdbwd_dispatch_bytes_semaphore_size,
        usual.fwdbwd_dispatch_bytes_semaphore_size,
    );
    stack
}
