//! Transport errors, and how far the request got.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::policy::Effort;

/// Any error of a foreign service or body.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// A call that ended without a response, or whose response body could not be read.
///
/// HTTP statuses are not errors here: a 404, or a 503 after all retries, is an `Ok(Response)`, and the caller, who can
/// read the body, decides what it means.
///
/// The main properties are the kind of failure ([`kind`](Self::kind)) and whether the server may have received the
/// request ([`stage`](Self::stage)). The cause is behind [`source`](StdError::source); `Display` does not repeat it and
/// never shows a key or a body.
pub struct TransportError(Box<Inner>);

struct Inner {
    kind: Kind,
    stage: Stage,
    what: Cow<'static, str>,
    source: Option<BoxError>,
    operation: Option<&'static str>,
    effort: Effort,
    /// Time the gate held the request before the failure.
    waited: Duration,
    retry_after: Option<Duration>,
}

/// Kind of a [`TransportError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The configuration is invalid: base URL, header, certificate, missing leaf.
    ///
    /// No work was done. Fix the configuration.
    Config,
    /// The request itself cannot be sent, for example a URI without a host.
    ///
    /// No work was done. This is a bug in the caller or in a layer.
    Request,
    /// No usable credential is available.
    ///
    /// No work was done. The source names the failed step: an expired key, a command that printed nothing, an exchange
    /// that the server refused.
    Credential,
    /// No connection could be opened: name lookup, TCP, TLS or proxy.
    ///
    /// No work was done. A retry is always safe.
    Connect,
    /// A time limit passed. [`Stage`] distinguishes whether the request was sent.
    Timeout,
    /// The connection broke after sending began.
    ///
    /// The work may have been done. Retry only requests whose repeat the server recognizes.
    Interrupted,
    /// A circuit breaker refused the request, because the server kept failing.
    ///
    /// No work was done. [`retry_after`](TransportError::retry_after) is the time until the next request is admitted.
    Unavailable,
    /// The response began, but its body broke off or could not be decoded.
    Body,
    /// The response body is larger than the caller allowed.
    TooLarge,
    /// A foreign layer or service failed; see the source.
    Layer,
}

/// How far a request got before the failure.
///
/// Ordered: a later stage compares greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// No request was built.
    NotBuilt,
    /// It was complete, but no byte was sent. A retry is safe.
    NotSent,
    /// It was sent in part or completely, and no response arrived.
    MaybeReceived,
    /// The head of a response arrived.
    Answered,
}

impl TransportError {
    /// A new error; `what` is a lowercase fragment that names place, cause and fix.
    pub fn new(kind: Kind, stage: Stage, what: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            stage,
            what: what.into(),
            source: None,
            operation: None,
            effort: Effort::default(),
            waited: Duration::ZERO,
            retry_after: None,
        }))
    }

    tinker_types::setters! {
        /// Sets the cause, returned by [`source`](StdError::source).
        with_source(source: impl Into<BoxError>) => 0.source = Some(source.into());

        /// Sets the wait after which the same request may succeed.
        with_retry_after(wait: Duration) => 0.retry_after = Some(wait);
    }

    /// Kind of the failure.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// How far the request got.
    pub fn stage(&self) -> Stage {
        self.0.stage
    }

    /// Name of the operation, from [`Call`](crate::Call).
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// Number of attempts; 0 if the request never reached the retry layer.
    pub fn attempts(&self) -> u32 {
        self.0.effort.attempts
    }

    /// Time from the first attempt to the end of the last, without waits that the server requested.
    pub fn elapsed(&self) -> Duration {
        self.0.effort.elapsed
    }

    /// Wait after which the same request may succeed, if known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether a timeout expired.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == Kind::Timeout
    }

    /// Whether opening a connection failed.
    pub fn is_connect(&self) -> bool {
        self.0.kind == Kind::Connect
    }

    /// Whether the credential is the cause.
    pub fn is_auth(&self) -> bool {
        self.0.kind == Kind::Credential
    }

    /// Whether the server may have received the request, and so done the work.
    pub fn may_have_been_received(&self) -> bool {
        self.0.stage >= Stage::MaybeReceived
    }

    /// Whether the same request may succeed later. Whether a repeat is safe is a separate question, see
    /// [`may_have_been_received`](Self::may_have_been_received).
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.0.kind,
            Kind::Connect | Kind::Timeout | Kind::Interrupted | Kind::Unavailable
        )
    }

    pub(crate) fn set_operation(&mut self, operation: &'static str) {
        self.0.operation.get_or_insert(operation);
    }

    pub(crate) fn set_effort(&mut self, effort: Effort) {
        self.0.effort = effort;
    }

    pub(crate) fn set_waited(&mut self, waited: Duration) {
        self.0.waited = waited;
    }

    pub(crate) fn waited(&self) -> Duration {
        self.0.waited
    }

    /// Converts an error of a foreign service: a `TransportError` is returned unchanged, a timeout of `tower` is
    /// recognized, anything else becomes [`Kind::Layer`].
    ///
    /// A foreign layer does not report how far the request got, so the conservative [`Stage::MaybeReceived`] is
    /// assumed.
    pub fn from_boxed(error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(ours) => *ours,
            Err(error) if error.is::<tower::timeout::error::Elapsed>() => Self::new(
                Kind::Timeout,
                Stage::MaybeReceived,
                "no answer within the time limit of a layer",
            )
            .with_source(error),
            Err(error) => Self::new(
                Kind::Layer,
                Stage::MaybeReceived,
                "a layer or service below failed",
            )
            .with_source(error),
        }
    }

    /// Converts an error that occurred while reading a response body.
    pub(crate) fn from_body(error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(ours) => *ours,
            Err(error) => Self::new(Kind::Body, Stage::Answered, "the answer's body broke off")
                .with_source(error),
        }
    }
}

impl From<BoxError> for TransportError {
    fn from(error: BoxError) -> Self {
        Self::from_boxed(error)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.what)?;
        let Effort {
            attempts, elapsed, ..
        } = self.0.effort;
        match (self.0.operation, attempts) {
            (None, 0 | 1) => Ok(()),
            (Some(operation), 0 | 1) => write!(f, " ({operation})"),
            (None, n) => write!(f, " ({n} attempts in {:.1} s)", elapsed.as_secs_f64()),
            (Some(operation), n) => write!(
                f,
                " ({operation}, {n} attempts in {:.1} s)",
                elapsed.as_secs_f64()
            ),
        }
    }
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        f.debug_struct("TransportError")
            .field("kind", &inner.kind)
            .field("stage", &inner.stage)
            .field("what", &inner.what)
            .field("operation", &inner.operation)
            .field("effort", &inner.effort)
            .field("source", &inner.source)
            .finish()
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_error_survives_a_foreign_layer() {
        let ours = TransportError::new(Kind::Connect, Stage::NotSent, "cannot reach the server");
        let back = TransportError::from_boxed(Box::new(ours));
        assert_eq!(back.kind(), Kind::Connect);
        assert_eq!(back.stage(), Stage::NotSent);
        assert!(!back.may_have_been_received());
    }

    #[test]
    fn display_leaves_the_source_to_the_chain() {
        let mut error = TransportError::new(
            Kind::Interrupted,
            Stage::MaybeReceived,
            "the connection broke",
        )
        .with_source("reset by peer");
        error.set_operation("sample");
        error.set_effort(Effort::new(3, Duration::from_secs(7)));
        assert_eq!(
            error.to_string(),
            "the connection broke (sample, 3 attempts in 7.0 s)"
        );
        assert_eq!(
            StdError::source(&error).map(ToString::to_string).as_deref(),
            Some("reset by peer")
        );
    }

    #[test]
    fn the_error_is_one_pointer() {
        assert_eq!(size_of::<TransportError>(), size_of::<usize>());
    }
}
