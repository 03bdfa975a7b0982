//! Behavior towards clients: delays, injected faults, older protocol versions, required tokens.

use std::time::Duration;

use http::StatusCode;
use tinker_types::{ClientConfig, DynamicConfig, QueueState, QueueStatus};

/// Largest training requests that clients should send. Sampling waits for the current request, so requests should take
/// less than a second. Clients split larger batches into several requests.
const CHUNK_DATA: u64 = 128;
const CHUNK_BYTES: u64 = 1 << 18;

/// Behavior of an engine towards its clients, for tests of clients. The default is a current server without faults.
///
/// It can be changed while the engine runs, see [`LocalEngine::behave`](crate::LocalEngine::behave): an outage begins
/// when an [`InjectedFault`] is added and ends when it is removed.
///
/// ```
/// use std::time::Duration;
/// use tinker_local::{Behavior, InjectedFault};
///
/// let mut behavior = Behavior::default();
/// // The first three samples are answered 429, as by a busy service.
/// behavior.faults.push(
///     InjectedFault::status("asample", 429)
///         .with_times(3)
///         .with_retry_after(Duration::from_secs(1)),
/// );
/// // Keys must be exchanged for tokens that last ten minutes.
/// behavior.token_lifetime = Some(Duration::from_mins(10));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Behavior {
    /// Response of `client/config`. The default has small training chunks and the limits of the engine.
    /// `custom_loss_server_side` is off by default, although uploaded losses are supported, so that clients do the same
    /// as with a service that has not enabled it. If this field is unchanged, `sample_max_concurrent_requests` is
    /// [`Limits::queued_samples`](crate::Limits::queued_samples). `pjwt_auth_enabled` is on exactly when
    /// [`token_lifetime`](Self::token_lifetime) is set.
    pub client_config: ClientConfig,
    /// Response of `client/dynamic_config`. By default samples can be cancelled.
    pub dynamic_config: DynamicConfig,
    /// Injected faults. The first one that matches a request happens. Default none.
    pub faults: Vec<InjectedFault>,
    /// Holds back results and gives every poll this reason, for example that capacity is short. Work goes on. Default
    /// `None`.
    pub queue: Option<QueueStatus>,
    /// Delay of each response. Default 0.
    pub delay: Duration,
    /// Requires tokens with this lifetime instead of the API key. Any accepted key can be exchanged for a token at `auth/token`.
    /// Requests without a valid token are answered 401 `invalid_token`. Default `None`: no tokens are required.
    pub token_lifetime: Option<Duration>,
    /// Behaves like a server without protobuf: bodies and results are JSON only, and only the endpoints that clients up
    /// to version 0.24 call are available. In particular `client/dynamic_config`, `sessions/{id}/finish`,
    /// `cancel_future`, `retrieve_futures` and `sample_sequence_ids` are missing, and checkpoints can be loaded only into
    /// existing models. Default off.
    pub json_only: bool,
}

impl Default for Behavior {
    fn default() -> Self {
        let mut client_config = ClientConfig::default();
        client_config.fwdbwd_max_chunk_len = CHUNK_DATA;
        client_config.fwdbwd_max_chunk_bytes_count = CHUNK_BYTES;
        let mut dynamic_config = DynamicConfig::default();
        dynamic_config.sample_cancel_enabled = true;
        Self {
            client_config,
            dynamic_config,
            faults: Vec::new(),
            queue: None,
            delay: Duration::ZERO,
            token_lifetime: None,
            json_only: false,
        }
    }
}

impl Behavior {
    /// Sets [`Self::queue`] to a state with a reason.
    #[must_use]
    pub fn with_queue(mut self, state: QueueState, reason: &str) -> Self {
        let mut waiting = QueueStatus::default();
        waiting.queue_state = Some(state);
        waiting.queue_state_reason = Some(reason.to_owned());
        self.queue = Some(waiting);
        self
    }

    /// Adds to [`Self::faults`].
    #[must_use]
    pub fn with_fault(mut self, fault: InjectedFault) -> Self {
        self.faults.push(fault);
        self
    }

    /// The fault for a request to this path below `/api/v1/`. Counts as one occurrence.
    pub(crate) fn next_fault(&mut self, path: &str) -> Option<FaultKind> {
        let matches =
            |fault: &InjectedFault| fault.times != Some(0) && path.starts_with(&fault.path);
        let fault = self.faults.iter_mut().find(|fault| matches(fault))?;
        fault.times = fault.times.map(|times| times - 1);
        Some(fault.kind)
    }
}

/// A fault of the requests to one or several endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InjectedFault {
    path: String,
    times: Option<u32>,
    kind: FaultKind,
}

/// Kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// The request is answered with this status and not carried out.
    Status {
        status: StatusCode,
        retry_after: Option<Duration>,
    },
    /// The connection breaks before the request is handled.
    Dropped,
    /// The request is carried out, and the connection breaks before the response.
    AnswerLost,
}

impl InjectedFault {
    fn new(path: &str, kind: FaultKind) -> Self {
        Self {
            path: path.to_owned(),
            times: None,
            kind,
        }
    }

    /// Answers requests with a status, for example 429 for a full queue or 402 for an unpaid account. `path` is the
    /// beginning of the path below `/api/v1/`, for example `asample`; the empty path matches every request. An invalid
    /// status counts as 500.
    pub fn status(path: &str, status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(
            path,
            FaultKind::Status {
                status,
                retry_after: None,
            },
        )
    }

    /// Breaks the connection without handling the request. On a socket the connection is closed; in process the body of
    /// the response fails.
    pub fn dropped(path: &str) -> Self {
        Self::new(path, FaultKind::Dropped)
    }

    /// Handles the request, then breaks the connection. To the client this looks the same as [`dropped`](Self::dropped).
    pub fn answer_lost(path: &str) -> Self {
        Self::new(path, FaultKind::AnswerLost)
    }

    /// Limits the number of occurrences. Unset, the fault happens as long as it is configured.
    #[must_use]
    pub fn with_times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Adds the header `retry-after`, in whole seconds, to responses with a status.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        if let FaultKind::Status { retry_after, .. } = &mut self.kind {
            *retry_after = Some(wait);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fault_that_matches_happens_up_to_its_limit() {
        let mut behavior = Behavior::default()
            .with_fault(InjectedFault::status("asample", 429).with_times(2))
            .with_fault(InjectedFault::dropped("asample").with_times(1))
            .with_fault(InjectedFault::status("optim", 402));
        let status = |status| {
            let status = StatusCode::from_u16(status).unwrap();
            Some(FaultKind::Status {
                status,
                retry_after: None,
            })
        };
        let seen: Vec<_> = (0..4).map(|_| behavior.next_fault("asample")).collect();
        assert_eq!(
            seen,
            [status(429), status(429), Some(FaultKind::Dropped), None]
        );
        for _ in 0..3 {
            assert_eq!(behavior.next_fault("optim_step"), status(402));
        }
        assert_eq!(behavior.next_fault("forward_backward"), None);
    }
}
