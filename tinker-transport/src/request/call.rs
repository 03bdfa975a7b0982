//! Description of a call, as a request extension.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use tokio::time::Instant;

use crate::body::Body;
use crate::error::{Kind, Stage, TransportError};
use crate::flow::class::Class;
use crate::policy::Policy;
use crate::request::replay::Replay;
use crate::request::watcher::{AttemptWatcher, FailedAttempt};

/// Properties of a call, carried as a request extension.
///
/// Layers read these instead of paths and headers. A request without them is treated conservatively: class
/// [`Rest`](Class::Rest), weight of its body, retried only if its method is safe.
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
    /// Name of the operation in the API, for traces and errors, such as `asample`, `optim_step` or `retrieve_future`.
    pub operation: &'static str,
    /// Public method of a client library that causes the call, if any.
    pub caller: Option<&'static str>,
    /// Id that all calls about the same object share, for example about one model, if there is one.
    pub subject: Option<Arc<str>>,
    /// Selects connections, limits and default policy.
    pub class: Class,
    /// Bytes charged against the class's limit. `None`: the length of the body.
    pub weight: Option<u64>,
    /// Whether the request may be sent twice.
    pub replay: Replay,
    /// Effect of a 402 on this call.
    pub billing: Billing,
    /// Encoding of the request body.
    pub compression: Compression,
    /// Whether to follow redirects. Otherwise the redirect response itself is returned.
    pub follows_redirects: bool,
    /// Reads the response body, at most this many bytes, within the attempt, so that a body that breaks off is a failed
    /// attempt and not the end of the call. `None`: the caller reads it.
    pub whole: Option<u64>,
    /// Timeout of one attempt. `None`: that of the class.
    pub timeout: Option<Duration>,
    /// Time at which the call ends at the latest, waits included. `None`: no limit.
    pub deadline: Option<Instant>,
    /// Retry policy. `None`: that of the class.
    pub policy: Option<Arc<dyn Policy>>,
    /// Receives the failed attempts that are followed by another one. `None`: nobody.
    pub watcher: Option<Arc<dyn AttemptWatcher>>,
    /// Number of the try, from 1, counted or not. The retry layer sets it; outside of it, and on the first try of a
    /// request without a `Call`, it is 0.
    pub attempt: u32,
}

/// Effect of a 402.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Billing {
    /// Work is paused: wait and send again, up to the limit of the gate.
    Pause,
    /// An ordinary response.
    Raise,
}

/// Encoding of a request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Compression {
    /// Not compressed.
    #[default]
    None,
    /// One zstd frame of level 3. Only for servers that accept it.
    Zstd,
    /// One zstd frame of this level, from -7 to 22; levels outside of this range count as its ends.
    ZstdAt(i32),
}

impl Call {
    /// A call that is not replayed.
    pub fn new(operation: &'static str, class: Class) -> Self {
        Self {
            operation,
            caller: None,
            subject: None,
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
            watcher: None,
            attempt: 0,
        }
    }

    /// The call of a request.
    pub fn of<B>(request: &Request<B>) -> Self {
        Self::find(request).into_owned()
    }

    /// The call of a request, without a copy where it has one.
    pub(crate) fn find<B>(request: &Request<B>) -> Cow<'_, Self> {
        if let Some(call) = request.extensions().get::<Self>() {
            return Cow::Borrowed(call);
        }
        let replay = if request.method().is_safe() {
            Replay::Safe
        } else {
            Replay::Unsafe
        };
        Cow::Owned(Self::new("request", Class::Rest).with_replay(replay))
    }

    tinker_types::setters! {
        /// Sets the public method that causes the call.
        with_caller(method: &'static str) => caller = Some(method);

        /// Sets the id of the object that the call is about.
        with_subject(id: Arc<str>) => subject = Some(id);

        /// Sets the charged bytes.
        with_weight(bytes: u64) => weight = Some(bytes);

        /// Sets whether it may be sent twice.
        with_replay(replay: Replay) => replay = replay;

        /// Sets the effect of a 402. The default is to pause, except for sessions and telemetry.
        with_billing(billing: Billing) => billing = billing;

        /// Sets the encoding of the body.
        with_compression(compression: Compression) => compression = compression;

        /// Returns redirect responses unchanged.
        without_redirects() => follows_redirects = false;

        /// Reads the response body, at most this many bytes, within the attempt.
        with_whole_answer(bytes: u64) => whole = Some(bytes);

        /// Sets the timeout of one attempt.
        with_timeout(timeout: Duration) => timeout = Some(timeout);

        /// Sets the time at which the call ends at the latest.
        with_deadline(deadline: Instant) => deadline = Some(deadline);

        /// Sets the retry policy.
        with_policy(policy: impl Policy + 'static) => policy = Some(Arc::new(policy));

        /// Sets the receiver of failed attempts.
        with_watcher(watcher: Arc<dyn AttemptWatcher>) => watcher = Some(watcher);
    }

    /// Reports a failed attempt that is followed by another one.
    pub(crate) fn report<T>(
        &self,
        result: &Result<T, TransportError>,
        (attempts, started): (u32, Instant),
        remaining: impl FnOnce() -> Option<Duration>,
    ) {
        if let (Err(error), Some(watcher)) = (result, &self.watcher) {
            watcher.attempt_failed(&FailedAttempt {
                error,
                attempts,
                elapsed: started.elapsed(),
                remaining: remaining(),
            });
        }
    }

    /// Bytes charged for `request`.
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

    /// Waits for something that precedes sending, but not beyond the deadline.
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
