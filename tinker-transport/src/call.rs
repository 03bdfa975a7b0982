//! The one request extension: what a layer may know about a call.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use tokio::time::Instant;

use crate::body::Body;
use crate::class::Class;
use crate::error::{Kind, Stage, TransportError};
use crate::policy::Policy;
use crate::replay::Replay;

/// Facts about one call, carried as a request extension.
///
/// Layers read this instead of looking at paths and headers. A request without it is treated
/// with care: class [`Rest`](Class::Rest), weight of its body, repeated only if its method is safe.
///
/// ```
/// use tinker_transport::{Body, Call, Class, Replay};
///
/// let call = Call::new("optim_step", Class::Train).with_replay(Replay::Safe);
/// let request = http::Request::post("/api/v1/optim_step").extension(call).body(Body::from("{}"));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Call {
    /// Name of the operation, for traces and errors.
    pub operation: &'static str,
    /// The public method of a client library that causes the call, if one does.
    pub caller: Option<&'static str>,
    /// Which connections, limits and default policy apply.
    pub class: Class,
    /// Bytes to charge against the class's limit. `None`: the length of the body.
    pub weight: Option<u64>,
    /// May this be sent twice?
    pub replay: Replay,
    /// What a 402 means for this call.
    pub billing: Billing,
    /// How to encode the body on the way.
    pub compression: Compression,
    /// Follow redirects. Without, the answer that redirects is returned, for the sake of what its
    /// head says.
    pub follows_redirects: bool,
    /// Read the answer's body within the attempt, at most so many bytes, so that a body that breaks
    /// off is an attempt that failed, and not the end of the call. `None`: the caller reads it.
    pub whole: Option<u64>,
    /// Time for one attempt. `None`: that of the class.
    pub timeout: Option<Duration>,
    /// When the whole call must be over, waits included. `None`: no limit.
    pub deadline: Option<Instant>,
    /// Retry policy. `None`: that of the class.
    pub policy: Option<Arc<dyn Policy>>,
    /// Which try this is, from 1, counted or not. The retry layer writes it; outside of it, and on
    /// the first try of a request that came without a `Call`, it is 0.
    pub attempt: u32,
}

/// What an answer of 402 means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Billing {
    /// Work is paused: wait and send again, up to the limit of the gate.
    Pause,
    /// An answer like any other.
    Raise,
}

/// How a request's body travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Compression {
    /// As it is.
    #[default]
    None,
    /// As one zstd frame. Only for servers that say they take it.
    Zstd,
}

impl Call {
    /// A call that is not repeated unless that is certainly harmless.
    pub fn new(operation: &'static str, class: Class) -> Self {
        Self {
            operation,
            caller: None,
            class,
            weight: None,
            replay: Replay::Unsafe,
            billing: match class {
                Class::Session | Class::Telemetry => Billing::Raise,
                Class::Sample | Class::Train | Class::Retrieve | Class::Rest => Billing::Pause,
            },
            compression: Compression::None,
            follows_redirects: true,
            whole: None,
            timeout: None,
            deadline: None,
            policy: None,
            attempt: 0,
        }
    }

    /// The call a request belongs to.
    pub fn of<B>(request: &Request<B>) -> Self {
        request
            .extensions()
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| {
                let replay = if request.method().is_safe() {
                    Replay::Safe
                } else {
                    Replay::Unsafe
                };
                Self::new("request", Class::Rest).with_replay(replay)
            })
    }

    /// Says which public method causes it.
    #[must_use]
    pub fn with_caller(mut self, method: &'static str) -> Self {
        self.caller = Some(method);
        self
    }

    /// Sets the bytes to charge.
    #[must_use]
    pub fn with_weight(mut self, bytes: u64) -> Self {
        self.weight = Some(bytes);
        self
    }

    /// Says whether it may be sent twice.
    #[must_use]
    pub fn with_replay(mut self, replay: Replay) -> Self {
        self.replay = replay;
        self
    }

    /// Says what a 402 means. The default is to pause, except for sessions and telemetry.
    #[must_use]
    pub fn with_billing(mut self, billing: Billing) -> Self {
        self.billing = billing;
        self
    }

    /// Sets how the body travels.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Has an answer that redirects returned as it is.
    #[must_use]
    pub fn without_redirects(mut self) -> Self {
        self.follows_redirects = false;
        self
    }

    /// Has the answer's body read within the attempt, at most so many bytes.
    #[must_use]
    pub fn with_whole_answer(mut self, bytes: u64) -> Self {
        self.whole = Some(bytes);
        self
    }

    /// Sets the time for one attempt.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets when the whole call must be over.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the retry policy.
    #[must_use]
    pub fn with_policy(mut self, policy: impl Policy + 'static) -> Self {
        self.policy = Some(Arc::new(policy));
        self
    }

    /// Bytes to charge for `request`.
    pub(crate) fn weight_of(&self, request: &Request<Body>) -> u64 {
        self.weight
            .or_else(|| request.body().exact_len())
            .unwrap_or(1)
    }

    /// Time left until the deadline.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        self.deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Waits for something that comes before the request is sent, but not beyond the deadline.
    pub(crate) async fn before_deadline<F: Future>(
        &self,
        wait: F,
    ) -> Result<F::Output, TransportError> {
        let Some(deadline) = self.deadline else {
            return Ok(wait.await);
        };
        tokio::time::timeout_at(deadline, wait).await.map_err(|_| {
            let mut error = TransportError::new(
                Kind::Timeout,
                Stage::NotSent,
                "the deadline of the call passed before it could be sent",
            );
            error.set_operation(self.operation);
            error
        })
    }
}
