//! How the engine behaves towards its clients beyond the work itself, so that a client can be tried against a server
//! that is slow, full, paused, old or strict.

use std::time::Duration;

use http::StatusCode;
use tinker_types::{ClientConfig, DynamicConfig, QueueState, Waiting};

/// Largest training requests clients should send. Sampling waits for the request at hand, so requests of less than a
/// second keep both moving; a larger batch arrives as several that are computed one after the other.
const CHUNK_DATA: u64 = 128;
const CHUNK_BYTES: u64 = 1 << 18;

/// How an engine behaves towards its clients. The default is a friendly server of today.
///
/// It can be changed while the engine runs, see [`LocalEngine::behave`](crate::LocalEngine::behave): a window of
/// refusals begins when a [`Trouble`] is added and ends when it is taken away.
///
/// ```
/// use std::time::Duration;
/// use tinker_local::{Behavior, Trouble};
///
/// let mut behavior = Behavior::default();
/// // The first three samples are put off, as by a busy service.
/// behavior.troubles.push(
///     Trouble::status("asample", 429)
///         .with_times(3)
///         .with_retry_after(Duration::from_secs(1)),
/// );
/// // Keys must be exchanged for tokens that last ten minutes.
/// behavior.token_lifetime = Some(Duration::from_mins(10));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Behavior {
    /// What `client/config` answers. By default small training chunks, and the limits of the engine;
    /// `custom_loss_server_side` is off although uploaded losses are offered, so that clients go the way they go with
    /// a service that has not switched it on. While nothing is changed here `sample_max_concurrent_requests` is
    /// [`Limits::queued_samples`](crate::Limits::queued_samples). `pjwt_auth_enabled` is on exactly when
    /// [`token_lifetime`](Self::token_lifetime) is set.
    pub client_config: ClientConfig,
    /// What `client/dynamic_config` answers. By default samples can be cancelled.
    pub dynamic_config: DynamicConfig,
    /// What goes wrong with requests. The first that fits a request happens.
    pub troubles: Vec<Trouble>,
    /// Keeps results back and tells every fetch why, for example that capacity is short. Work goes on.
    pub queue: Option<Waiting>,
    /// Waits this long before each answer.
    pub delay: Duration,
    /// Demands short-lived tokens instead of the API key, which is exchanged for one at `auth/token`; they last this
    /// long. A request without a good one is answered 401 `invalid_token`. Any key is exchanged.
    pub token_lifetime: Option<Duration>,
    /// Offers what a server of the time before protobuf offers: JSON bodies and results only, and of the endpoints
    /// only those that clients up to version 0.24 call. In particular no `client/dynamic_config`,
    /// `sessions/{id}/finish`, `cancel_future` and `retrieve_futures`, and no `sample_sequence_ids`. A checkpoint is
    /// loaded only into a model that is there.
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
            troubles: Vec::new(),
            queue: None,
            delay: Duration::ZERO,
            token_lifetime: None,
            json_only: false,
        }
    }
}

impl Behavior {
    /// Sets [`Self::queue`] to a state with its reason.
    #[must_use]
    pub fn with_queue(mut self, state: QueueState, reason: &str) -> Self {
        let mut waiting = Waiting::default();
        waiting.queue_state = Some(state);
        waiting.queue_state_reason = Some(reason.to_owned());
        self.queue = Some(waiting);
        self
    }

    /// Adds to [`Self::troubles`].
    #[must_use]
    pub fn with_trouble(mut self, trouble: Trouble) -> Self {
        self.troubles.push(trouble);
        self
    }

    /// The trouble that a request to this path below `/api/v1/` runs into, which has happened once more then.
    pub(crate) fn trouble(&mut self, path: &str) -> Option<What> {
        let fits = |trouble: &Trouble| trouble.times != Some(0) && path.starts_with(&trouble.path);
        let trouble = self.troubles.iter_mut().find(|trouble| fits(trouble))?;
        trouble.times = trouble.times.map(|times| times - 1);
        Some(trouble.what)
    }
}

/// Something that goes wrong with requests to one endpoint or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    path: String,
    times: Option<u32>,
    what: What,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// The request is answered with this status, and nothing is done.
    Status {
        status: StatusCode,
        retry_after: Option<Duration>,
    },
    /// The connection breaks before the request is looked at.
    Dropped,
    /// The request is carried out and the connection breaks before the answer.
    AnswerLost,
}

impl Trouble {
    fn new(path: &str, what: What) -> Self {
        Self {
            path: path.to_owned(),
            times: None,
            what,
        }
    }

    /// Requests are refused with a status, for example 429 for a server that is full or 402 for an account that
    /// can't pay. `path` is the beginning of the path below `/api/v1/`, for example `asample`; the empty path is
    /// every request. A status that is none counts as 500.
    pub fn status(path: &str, status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(
            path,
            What::Status {
                status,
                retry_after: None,
            },
        )
    }

    /// The connection breaks instead of an answer, and nothing was done. On a socket it is closed; in process the
    /// body of the answer breaks off.
    pub fn dropped(path: &str) -> Self {
        Self::new(path, What::Dropped)
    }

    /// The same, but the request was carried out: the client can't tell the two apart.
    pub fn answer_lost(path: &str) -> Self {
        Self::new(path, What::AnswerLost)
    }

    /// Happens this often and no more. Unset, it happens as long as it is there.
    #[must_use]
    pub fn with_times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Tells the client of a refusal how long to wait, in the header `retry-after`, in whole seconds.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        if let What::Status { retry_after, .. } = &mut self.what {
            *retry_after = Some(wait);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_trouble_that_fits_happens_and_wears_off() {
        let mut behavior = Behavior::default()
            .with_trouble(Trouble::status("asample", 429).with_times(2))
            .with_trouble(Trouble::dropped("asample").with_times(1))
            .with_trouble(Trouble::status("optim", 402));
        let status = |status| {
            let status = StatusCode::from_u16(status).unwrap();
            Some(What::Status {
                status,
                retry_after: None,
            })
        };
        let seen: Vec<_> = (0..4).map(|_| behavior.trouble("asample")).collect();
        assert_eq!(seen, [status(429), status(429), Some(What::Dropped), None]);
        for _ in 0..3 {
            assert_eq!(behavior.trouble("optim_step"), status(402));
        }
        assert_eq!(behavior.trouble("forward_backward"), None);
    }
}
