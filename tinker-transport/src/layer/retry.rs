//! Retry layer.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::{Method, Request};
use tokio::time::Instant;
use tower::retry::budget::{Budget, TpsBudget};

use super::around::{Around, tower_layer};
use super::vigil::Vigil;
use crate::body::Body;
use crate::error::{Kind, Stage};
use crate::flow::class::{Class, PerClass};
use crate::flow::limits::ClassLimits;
use crate::observe::event::Event;
use crate::observe::observer::Observers;
use crate::policy::{Disposition, Effort, Outcome, Policy, Verdict, Waited};
use crate::request::call::Call;
use crate::request::idempotency::{self, IDEMPOTENCY_KEY};
use crate::request::outgoing::Outgoing;
use crate::request::spare::Spare;
use crate::service::{Answer, Inner};

/// Empty 400s of a class that may count as lost connections; each success returns one.
const EDGE_BUDGET: u32 = 16;
/// Retries of the whole stack that are always allowed, and their share of successes beyond that.
const BUDGET_WINDOW: Duration = Duration::from_secs(10);
const BUDGET_PER_SECOND: u32 = 20;
const BUDGET_SHARE: f32 = 0.5;
/// Wait before a retry that the budget does not allow yet is tried again.
const BUDGET_STEP: Duration = Duration::from_secs(1);

/// Retries requests where that is harmless, useful and affordable.
///
/// After each try, [`Disposition`] classifies it; [`Replay`](crate::Replay) rules out repeats that could do the work
/// twice; the [`Policy`] of the call, or else of its class, decides whether and when to retry; and a budget shared by
/// the whole stack delays retries when too many come at once (within the time of the policy; none is refused). Then the
/// layer sleeps and sends again.
///
/// - A request with a method other than GET gets one `X-Idempotency-Key` for all its tries.
/// - A body that is a stream cannot be repeated: one try.
/// - No wait extends beyond the call's deadline.
/// - When it gives up, the last response or error is returned unchanged, with the [`Effort`](crate::policy::Effort) in its
///   extensions or accessors.
///
/// # Order
/// Inside admission, outside gate, auth and timeout. Wrong: a single timeout outside retry, where one stuck try uses up
/// the time of all.
#[derive(Debug, Clone)]
pub struct RetryLayer {
    shared: Arc<Shared>,
    observers: Observers,
    /// Timeouts of one attempt.
    timeouts: PerClass<Duration>,
}

#[derive(Debug)]
struct Shared {
    policies: PerClass<Arc<dyn Policy>>,
    edge: PerClass<AtomicU32>,
    budget: TpsBudget,
}

impl RetryLayer {
    /// Uses the default policies of the classes: [`Standard`](crate::policy::Standard), and
    /// [`Never`](crate::policy::Never) for polling and telemetry.
    pub fn new() -> Self {
        Self::with_policies(PerClass::default())
    }

    /// Uses these policies.
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
            timeouts: timeouts(&PerClass::default()),
        }
    }

    tinker_types::setters! {
        /// Reports retries to these observers.
        with_observers(observers: Observers) => observers = observers;

        /// Reports the time left under these limits. The default are those of the classes.
        with_limits(limits: &PerClass<ClassLimits>) => timeouts = timeouts(limits);
    }
}

fn timeouts(limits: &PerClass<ClassLimits>) -> PerClass<Duration> {
    PerClass::from_fn(|class: Class| limits.get(class).timeout)
}

impl Default for RetryLayer {
    fn default() -> Self {
        Self::new()
    }
}

tower_layer!(RetryLayer makes Retry);

impl Around for RetryLayer {
    // `tower::retry` clones policy, service and request for each try, and boxes. Here only the request is copied.
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        let (mut tries, now) = (Tries::new(self, request), Duration::ZERO);
        request.copy = Spare::of(request);
        loop {
            let mut result = tries.watched(now, pin!(inner.run(request))).await;
            let can_repeat = request.copy.is_some();
            match can_repeat.then(|| tries.after(&mut result)) {
                None | Some(Next::Nothing) => return tries.finish(result),
                Some(Next::AtOnce) => {}
                Some(Next::After(pause)) => {
                    let wait = pause.wait;
                    tries.watched(wait, pause.pass(&self.shared.budget)).await;
                }
            }
            tries.again(request);
        }
    }
}

/// State of one call.
struct Tries<'a> {
    shared: &'a Shared,
    observers: &'a Observers,
    call: Call,
    started: Instant,
    /// Counted attempts.
    counted: u32,
    /// Waits requested by the server, which do not count against the call.
    waited: Duration,
    /// Time the call had taken when the latest try began.
    before: Duration,
    /// Number of the latest try, counted or not.
    number: u32,
    /// Outcome of the latest counted attempt.
    outcome: Option<Outcome>,
    timeout: Duration,
    vigil: Vigil,
}

/// Next step after a try.
enum Next {
    /// The result is returned.
    Nothing,
    /// Repeated; the gate holds it as long as necessary.
    AtOnce,
    After(Pause),
}

/// Wait before another try.
struct Pause {
    wait: Duration,
    /// Time at which waiting for the budget ends.
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
        // Written in place: a separate extension would be another allocation.
        if let Some(call) = request.extensions_mut().get_mut::<Call>() {
            call.attempt = 1;
        }
        let (call, started) = (Call::of(request), Instant::now());
        let of_class = *layer.timeouts.get(call.class);
        Self {
            shared: &layer.shared,
            observers: &layer.observers,
            timeout: call.timeout.unwrap_or(of_class),
            vigil: Vigil::since(started),
            outcome: None,
            call,
            started,
            counted: 0,
            waited: Duration::ZERO,
            before: Duration::ZERO,
            number: 1,
        }
    }

    /// Runs a part of the call, and reports when the call takes long. The next attempt begins after `wait`.
    async fn watched<T>(&mut self, wait: Duration, part: impl Future<Output = T>) -> T {
        if self.observers.is_empty() {
            return part.await;
        }
        let next = Instant::now() + wait;
        let mut part = pin!(part);
        loop {
            // Boxed, so that calls without observers reserve no space for it.
            if let Some(done) = Box::pin(self.vigil.next(part.as_mut())).await {
                return done;
            }
            self.observers.emit(|| Event::Unanswered {
                operation: self.call.operation,
                class: self.call.class,
                attempts: self.counted,
                outcome: self.outcome,
                elapsed: self.started.elapsed(),
                remaining: self.remaining(next),
            });
        }
    }

    /// Time left if the attempt that begins at `next` fails, and all after it.
    fn remaining(&self, next: Instant) -> Option<Duration> {
        let now = Instant::now();
        let attempt_ends = next + self.timeout;
        let spent = attempt_ends
            .saturating_duration_since(self.started)
            .saturating_sub(self.waited);
        let effort = Effort::new(self.counted + 1, spent);
        let failed = Disposition {
            outcome: Outcome::Failed {
                kind: Kind::Timeout,
                stage: Stage::MaybeReceived,
            },
            retry_after: None,
            should_retry: None,
        };
        let policy = self.policy();
        let is_repeated = failed.allows_repeat(self.call.replay)
            && policy.verdict(&effort, &failed) != Verdict::Stop;
        let ends = match policy.remaining_time(&effort) {
            _ if !is_repeated => Some(attempt_ends),
            // The last attempt starts no later than the policy allows, and has its whole timeout.
            Some(left) => Some(attempt_ends + left + self.timeout),
            None => None,
        };
        let left = ends.map(|ends| ends.saturating_duration_since(now));
        [left, self.call.remaining()].into_iter().flatten().min()
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed().saturating_sub(self.waited)
    }

    fn policy(&self) -> &dyn Policy {
        let of_class = || self.shared.policies.get(self.call.class);
        &**self.call.policy.as_ref().unwrap_or_else(of_class)
    }

    /// Decides what follows a try.
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
                // For the policy, the try did not happen.
                self.waited = self.started.elapsed().saturating_sub(self.before);
                return Next::AtOnce;
            }
            _ => {}
        }
        self.counted += 1;
        self.outcome = Some(disposition.outcome);
        self.note_wait(result);
        let effort = Effort::new(self.counted, self.elapsed());
        let (attempts, outcome) = (effort.attempts, disposition.outcome);
        let Some(pause) = self.pause(&disposition, &effort) else {
            tracing::debug!(attempts, ?outcome, "not trying again");
            return Next::Nothing;
        };
        let left = || self.remaining(Instant::now() + pause.wait);
        self.call.report(result, (attempts, self.started), left);
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

    /// Records the information of the gate about the latest try.
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
        // Waking up at the deadline only to fail is useless, so the current result is returned.
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

    /// Starts the next try.
    fn again(&mut self, request: &mut Outgoing) {
        self.before = self.elapsed();
        self.number += 1;
        self.call.attempt = self.number;
        if let Some(again) = request.copy.as_ref().map(Spare::to_request) {
            request.set(again);
        }
        request.extensions_mut().insert(self.call.clone());
    }

    /// Attaches the effort to the response or error.
    fn finish(&self, mut result: Answer) -> Answer {
        match &mut result {
            // A response to the first try needs no effort, which would be three allocations.
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
        // At least one was made, even if it could not be repeated and so was not judged.
        Effort::new(self.counted.max(1), self.elapsed())
    }
}

impl Pause {
    /// Sleeps, then waits for the budget, at most as long as policy and deadline permit.
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
