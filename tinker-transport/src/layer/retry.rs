//! Retry: policies carried out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::{Method, Request};
use tokio::time::Instant;
use tower::retry::budget::{Budget, TpsBudget};

use super::around::{Around, tower_layer};
use crate::body::Body;
use crate::call::Call;
use crate::class::PerClass;
use crate::disposition::{Disposition, Outcome};
use crate::effort::{Effort, Waited};
use crate::event::Event;
use crate::idempotency::{self, IDEMPOTENCY_KEY};
use crate::observer::Observers;
use crate::policy::{Policy, Verdict};
use crate::service::{Answer, Inner};
use crate::spare::Spare;

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
    observers: Observers,
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
        Self::with_policies(PerClass::default())
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
            observers: Observers::new(),
        }
    }

    /// Reports to these observers when another try follows.
    #[must_use]
    pub fn with_observers(mut self, observers: Observers) -> Self {
        self.observers = observers;
        self
    }
}

impl Default for RetryLayer {
    fn default() -> Self {
        Self::new()
    }
}

tower_layer!(RetryLayer makes Retry);

impl Around for RetryLayer {
    // A loop of its own: `tower`'s clones policy, service and request before each try and needs a
    // nameable, so boxed, future of the service. Here a copy of the request is all, and it
    // allocates nothing.
    async fn around(&self, request: &mut Request<Body>, inner: &impl Inner) -> Answer {
        let mut tries = Tries::new(self, request);
        loop {
            let spare = Spare::of(request);
            let mut result = inner.run(request).await;
            let Some(again) = spare else {
                return tries.finish(result);
            };
            match tries.after(&mut result) {
                Next::Nothing => return tries.finish(result),
                Next::AtOnce => {}
                Next::After(pause) => pause.pass(&self.shared.budget).await,
            }
            *request = tries.again(again);
        }
    }
}

/// All tries of one call.
struct Tries<'a> {
    shared: &'a Shared,
    observers: &'a Observers,
    call: Call,
    started: Instant,
    /// Attempts that count.
    counted: u32,
    /// Time the server asked the client to wait; it is not held against the call.
    waited: Duration,
    /// What the call had taken when the latest try began.
    before: Duration,
    /// The latest try, counted or not.
    number: u32,
}

/// What follows a try.
enum Next {
    /// Its end is the end of the call.
    Nothing,
    /// The same again; the gate will hold it as long as need be.
    AtOnce,
    After(Pause),
}

/// The wait before another try.
struct Pause {
    wait: Duration,
    /// When the budget is no longer waited for.
    give_in: Option<Instant>,
}

impl<'a> Tries<'a> {
    fn new(layer: &'a RetryLayer, request: &mut Request<Body>) -> Self {
        if request.method() != Method::GET
            && !request.headers().contains_key(&IDEMPOTENCY_KEY)
            && let Some(key) = idempotency::fresh()
        {
            request.headers_mut().insert(IDEMPOTENCY_KEY, key);
        }
        // Written in place: an extension of its own would be another allocation.
        if let Some(call) = request.extensions_mut().get_mut::<Call>() {
            call.attempt = 1;
        }
        Self {
            shared: &layer.shared,
            observers: &layer.observers,
            call: Call::of(request),
            started: Instant::now(),
            counted: 0,
            waited: Duration::ZERO,
            before: Duration::ZERO,
            number: 1,
        }
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed().saturating_sub(self.waited)
    }

    fn policy(&self) -> &dyn Policy {
        let of_class = || self.shared.policies.get(self.call.class);
        &**self.call.policy.as_ref().unwrap_or_else(of_class)
    }

    /// Judges the end of a try.
    fn after(&mut self, result: &mut Answer) -> Next {
        let disposition = Disposition::of(result);
        match disposition.outcome {
            Outcome::Success => {
                self.counted += 1;
                self.note_wait(result);
                self.note_success();
                return Next::Nothing;
            }
            Outcome::Held => {
                // The try never happened, as far as the policy is concerned.
                self.waited = self.started.elapsed().saturating_sub(self.before);
                return Next::AtOnce;
            }
            _ => {}
        }
        self.counted += 1;
        self.note_wait(result);
        let effort = Effort::new(self.counted, self.elapsed());
        let (attempts, outcome) = (effort.attempts, disposition.outcome);
        let Some(pause) = self.pause(&disposition, &effort) else {
            tracing::debug!(attempts, ?outcome, "not trying again");
            return Next::Nothing;
        };
        tracing::debug!(attempts, ?outcome, wait = ?pause.wait, "trying again");
        self.observers.emit(|| Event::Retry {
            operation: self.call.operation,
            class: self.call.class,
            attempts,
            outcome,
            wait: pause.wait,
        });
        Next::After(pause)
    }

    /// Takes what the gate says about the latest try.
    fn note_wait(&mut self, result: &mut Answer) {
        self.waited += match result {
            Ok(response) => response
                .extensions_mut()
                .remove()
                .map_or(Duration::ZERO, |Waited(waited)| waited),
            Err(error) => error.waited(),
        };
    }

    fn pause(&self, disposition: &Disposition, effort: &Effort) -> Option<Pause> {
        if !disposition.allows_repeat(self.call.replay) {
            return None;
        }
        let Verdict::Again(wait) = self.policy().verdict(effort, disposition) else {
            return None;
        };
        if disposition.outcome == Outcome::EdgeRejection && !self.spend_edge() {
            return None;
        }
        let policy_leaves = self.policy().remaining_time(effort);
        let deadline_leaves = self.call.remaining();
        let wait = policy_leaves.map_or(wait, |left| wait.min(left));
        // Waking up at the deadline only to fail helps nobody: hand over what there is.
        if deadline_leaves.is_some_and(|left| wait >= left) {
            return None;
        }
        let left = [policy_leaves, deadline_leaves].into_iter().flatten().min();
        Some(Pause {
            wait,
            give_in: left.map(|left| Instant::now() + left),
        })
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

    /// The next try.
    fn again(&mut self, spare: Spare) -> Request<Body> {
        self.before = self.elapsed();
        self.number += 1;
        self.call.attempt = self.number;
        let mut request = spare.into_request();
        request.extensions_mut().insert(self.call.clone());
        request
    }

    /// Puts on the answer or error what it took.
    fn finish(&self, mut result: Answer) -> Answer {
        match &mut result {
            // An answer to the first try needs no note, which would be three allocations.
            Ok(_) if self.number == 1 => {}
            Ok(response) => {
                response.extensions_mut().insert(self.effort());
            }
            Err(error) => {
                error.set_operation(self.call.operation);
                error.set_effort(self.effort());
            }
        }
        result
    }

    fn effort(&self) -> Effort {
        // At least one was made, even if it could not be repeated and so was not asked about.
        Effort::new(self.counted.max(1), self.elapsed())
    }
}

impl Pause {
    /// Sleeps, then waits for the budget, at most as long as policy and deadline leave.
    async fn pass(self, budget: &TpsBudget) {
        tokio::time::sleep(self.wait).await;
        while !budget.withdraw()
            && self
                .give_in
                .is_none_or(|at| Instant::now() + BUDGET_STEP < at)
        {
            tokio::time::sleep(BUDGET_STEP).await;
        }
    }
}

#[cfg(test)]
mod tests;
