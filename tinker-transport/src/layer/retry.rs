//! Retry: our policies, carried out by `tower`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderName, HeaderValue, Request, Response};
use tokio::time::Instant;
use tower::retry::budget::{Budget, TpsBudget};
use tower::{Layer, Service, ServiceExt};

use crate::attempt::{Attempt, Effort, Tally};
use crate::body::Body;
use crate::call::Call;
use crate::class::PerClass;
use crate::config::default_policy;
use crate::disposition::{Disposition, Outcome};
use crate::error::TransportError;
use crate::policy::{Policy, Verdict};
use crate::service::{HttpService, ResponseFuture};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("x-idempotency-key");
/// Empty 400s of a class that may be taken for lost connections; each success gives one back.
const EDGE_BUDGET: u32 = 16;
/// Retries of the whole stack that go through at any time, and their share of successes above it.
const BUDGET_WINDOW: Duration = Duration::from_secs(10);
const BUDGET_PER_SECOND: u32 = 20;
const BUDGET_SHARE: f32 = 0.5;
/// A retry the budget does not allow yet asks again after this long.
const BUDGET_STEP: Duration = Duration::from_secs(1);

/// Sends a request again when that is harmless, sensible and affordable.
///
/// After each try: [`Disposition`] says what happened; a repeat that could do the work twice is
/// ruled out by [`Replay`](crate::Replay); the [`Policy`] of the call, or else of its class, says
/// whether and when; a budget shared by the whole stack spreads retries out when too many come at
/// once (they wait, within the policy's time, and are not refused). Then it sleeps and sends.
///
/// - A request with a method other than GET gets one `X-Idempotency-Key` for all its tries.
/// - A body that is a stream cannot be repeated: one try.
/// - A call's deadline is kept: no wait reaches beyond it.
/// - When it gives up, the last answer or error is returned as it was, with the
///   [`Effort`](crate::Effort) among its extensions or in its accessors.
///
/// # Order
/// Inside admission, outside gate, auth and timeout. Wrong: timeout outside retry, as the only
/// one; a single stuck try then eats the time of all.
#[derive(Debug, Clone)]
pub struct RetryLayer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    policies: PerClass<Arc<dyn Policy>>,
    edge: PerClass<AtomicU32>,
    budget: TpsBudget,
}

impl RetryLayer {
    /// Retries by the policies of the classes: [`Standard`](crate::policy::Standard), and
    /// [`Never`](crate::policy::Never) for retrieving and telemetry.
    pub fn new() -> Self {
        Self::with_policies(PerClass::from_fn(default_policy))
    }

    /// Retries by these policies.
    pub fn with_policies(policies: PerClass<Arc<dyn Policy>>) -> Self {
        let edge = PerClass::from_fn(|_| AtomicU32::new(EDGE_BUDGET));
        let budget = TpsBudget::new(BUDGET_WINDOW, BUDGET_PER_SECOND, BUDGET_SHARE);
        Self {
            shared: Arc::new(Shared {
                policies,
                edge,
                budget,
            }),
        }
    }
}

impl Default for RetryLayer {
    fn default() -> Self {
        Self::new()
    }
}

/// Service made by [`RetryLayer`].
#[derive(Debug, Clone)]
pub struct Retry<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Layer<S> for RetryLayer {
    type Service = Retry<S>;

    fn layer(&self, inner: S) -> Retry<S> {
        Retry {
            inner,
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S: HttpService> Service<Request<Body>> for Retry<S> {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> ResponseFuture {
        let inner = self.inner.clone();
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let tries = Tries::new(shared, &mut request);
            let (tally, started) = (Arc::clone(&tries.tally), tries.started);
            let operation = tries.call.operation;
            let mut result = tower::retry::Retry::new(tries, inner)
                .oneshot(request)
                .await;
            // At least one was made, even if it could not be repeated and so was not asked about.
            let effort = Effort::new(
                tally.counted().max(1),
                started.elapsed().saturating_sub(tally.waited()),
            );
            match &mut result {
                Ok(response) => {
                    response.extensions_mut().insert(effort);
                }
                Err(error) => {
                    error.set_operation(operation);
                    error.set_effort(effort);
                }
            }
            result
        })
    }
}

/// All tries of one call.
#[derive(Debug, Clone)]
struct Tries {
    shared: Arc<Shared>,
    call: Call,
    policy: Arc<dyn Policy>,
    tally: Arc<Tally>,
    started: Instant,
    /// What the call had taken when the latest try began.
    before: Duration,
    number: u32,
}

impl Tries {
    fn new(shared: Arc<Shared>, request: &mut Request<Body>) -> Self {
        let call = Call::of(request);
        let policy = call
            .policy
            .clone()
            .unwrap_or_else(|| Arc::clone(shared.policies.get(call.class)));
        let tally = Arc::new(Tally::default());
        if request.method() != http::Method::GET
            && !request.headers().contains_key(&IDEMPOTENCY_KEY)
        {
            let key = uuid::Uuid::new_v4().to_string();
            if let Ok(key) = HeaderValue::try_from(key) {
                request.headers_mut().insert(IDEMPOTENCY_KEY, key);
            }
        }
        request
            .extensions_mut()
            .insert(Attempt::new(1, Arc::clone(&tally)));
        Self {
            shared,
            call,
            policy,
            tally,
            started: Instant::now(),
            before: Duration::ZERO,
            number: 1,
        }
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed().saturating_sub(self.tally.waited())
    }

    /// The wait before another try, if there is to be one.
    fn wait(&self, disposition: &Disposition, effort: &Effort) -> Option<Duration> {
        if !disposition.allows_repeat(self.call.replay) {
            return None;
        }
        let Verdict::Again(wait) = self.policy.verdict(effort, disposition) else {
            return None;
        };
        if disposition.outcome == Outcome::EdgeRejection && !self.spend_edge() {
            return None;
        }
        let wait = self
            .policy
            .remaining_time(effort)
            .map_or(wait, |left| wait.min(left));
        // Waking up at the deadline only to fail helps nobody: hand over what there is.
        self.call
            .remaining()
            .is_none_or(|left| wait < left)
            .then_some(wait)
    }

    fn spend_edge(&self) -> bool {
        let less = |left: u32| left.checked_sub(1);
        self.shared
            .edge
            .get(self.call.class)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }

    fn note_success(&self) {
        let more = |left: u32| (left < EDGE_BUDGET).then_some(left + 1);
        // An error here means that the budget is full.
        let _ = self.shared.edge.get(self.call.class).fetch_update(
            Ordering::Relaxed,
            Ordering::Relaxed,
            more,
        );
        self.shared.budget.deposit();
    }

    /// Sleeps, then waits for the budget, at most as long as policy and deadline leave.
    fn pause(&self, wait: Duration, effort: &Effort) -> Pause {
        let shared = Arc::clone(&self.shared);
        let left = [self.policy.remaining_time(effort), self.call.remaining()]
            .into_iter()
            .flatten()
            .min();
        let give_in = left.map(|left| Instant::now() + left);
        Box::pin(async move {
            tokio::time::sleep(wait).await;
            while !shared.budget.withdraw()
                && give_in.is_none_or(|at| Instant::now() + BUDGET_STEP < at)
            {
                tokio::time::sleep(BUDGET_STEP).await;
            }
        })
    }
}

type Pause = Pin<Box<dyn Future<Output = ()> + Send>>;

impl tower::retry::Policy<Request<Body>, Response<Body>, TransportError> for Tries {
    type Future = Pause;

    fn retry(
        &mut self,
        _: &mut Request<Body>,
        result: &mut Result<Response<Body>, TransportError>,
    ) -> Option<Pause> {
        let disposition = Disposition::of(result);
        match disposition.outcome {
            Outcome::Held => {
                // The try never happened, as far as the policy is concerned.
                self.tally
                    .set_waited(self.started.elapsed().saturating_sub(self.before));
                return Some(Box::pin(std::future::ready(())));
            }
            Outcome::Success => {
                self.tally.count();
                self.note_success();
                return None;
            }
            _ => {}
        }
        let effort = Effort::new(self.tally.count(), self.elapsed());
        let Some(wait) = self.wait(&disposition, &effort) else {
            tracing::debug!(attempts = effort.attempts, outcome = ?disposition.outcome, "not trying again");
            return None;
        };
        tracing::debug!(attempts = effort.attempts, outcome = ?disposition.outcome, ?wait, "trying again");
        Some(self.pause(wait, &effort))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        self.before = self.elapsed();
        let mut again = Request::new(request.body().try_clone()?);
        self.number += 1;
        *again.method_mut() = request.method().clone();
        *again.uri_mut() = request.uri().clone();
        *again.version_mut() = request.version();
        *again.headers_mut() = request.headers().clone();
        *again.extensions_mut() = request.extensions().clone();
        again
            .extensions_mut()
            .insert(Attempt::new(self.number, Arc::clone(&self.tally)));
        Some(again)
    }
}

#[cfg(test)]
mod tests;
