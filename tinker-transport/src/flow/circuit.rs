//! State machine of one circuit breaker.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::mutex::lock;
use crate::observe::event::BreakerChange;

/// When a circuit opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rules {
    /// Size of the window of recent results, at most 64.
    pub(crate) window: u32,
    /// Number of results below which the circuit does not open.
    pub(crate) minimum: u32,
    /// Share of failures at which it opens.
    pub(crate) failure_share: f64,
    /// Time it stays open at first; doubled after each failed probe.
    pub(crate) cool_down: Duration,
    /// Longest time it stays open.
    pub(crate) longest: Duration,
}

/// Closed, open or half open.
///
/// As described by M. Nygard (Release It!), with the window of recent results that resilience4j uses: counting
/// consecutive failures would never open for a server that fails every second time.
#[derive(Debug)]
pub(crate) struct Circuit {
    rules: Rules,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Number of changes, so that a request counts only in the phase in which it began.
    generation: u64,
    /// Length of the latest open phase.
    cool_down: Duration,
    /// Failures and results that opened it.
    reason: (u32, u32),
}

#[derive(Debug)]
enum Phase {
    Closed(Recent),
    Open { until: Instant },
    HalfOpen { is_probing: bool },
}

/// Recent results: one bit each, set for a failure.
#[derive(Debug, Default)]
struct Recent {
    bits: u64,
    count: u32,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Time until the next probe. `None`: a probe is in flight.
    pub(crate) left: Option<Duration>,
    pub(crate) failures: u32,
    pub(crate) of: u32,
}

/// An admitted request. Dropped without a result it is not counted, and the place of a probe is released.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    circuit: &'a Circuit,
    generation: u64,
    is_probe: bool,
}

impl Circuit {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            state: Mutex::new(State {
                phase: Phase::Closed(Recent::default()),
                generation: 0,
                cool_down: Duration::ZERO,
                reason: (0, 0),
            }),
        }
    }

    /// Admits a request or refuses it. The second value is the change of state this caused.
    pub(crate) fn admit(&self) -> (Result<Pass<'_>, Refusal>, Option<BreakerChange>) {
        let mut state = lock(&self.state);
        let now = Instant::now();
        let refusal = |left| Refusal {
            left,
            failures: state.reason.0,
            of: state.reason.1,
        };
        let is_probe = match state.phase {
            Phase::Closed(_) => false,
            Phase::Open { until } if now < until => return (Err(refusal(Some(until - now))), None),
            Phase::HalfOpen { is_probing: true } => return (Err(refusal(None)), None),
            Phase::Open { .. } | Phase::HalfOpen { is_probing: false } => true,
        };
        let was_open = matches!(state.phase, Phase::Open { .. });
        if was_open {
            state.enter(Phase::HalfOpen { is_probing: true });
        } else if is_probe {
            state.phase = Phase::HalfOpen { is_probing: true };
        }
        let pass = Pass {
            circuit: self,
            generation: state.generation,
            is_probe,
        };
        (Ok(pass), was_open.then_some(BreakerChange::HalfOpened))
    }
}

impl State {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation += 1;
    }

    fn open(&mut self, cool_down: Duration, reason: (u32, u32)) -> BreakerChange {
        self.cool_down = cool_down;
        self.reason = reason;
        let until = Instant::now() + cool_down;
        self.enter(Phase::Open { until });
        BreakerChange::Opened(cool_down)
    }
}

impl Pass<'_> {
    /// Records the result of the request. Returns the change of state this caused.
    pub(crate) fn end(self, has_failed: bool) -> Option<BreakerChange> {
        let rules = self.circuit.rules;
        let mut state = lock(&self.circuit.state);
        if state.generation != self.generation {
            return None;
        }
        match &mut state.phase {
            Phase::Closed(recent) => {
                recent.note(has_failed, rules.window);
                let reason = (recent.failures(), recent.count);
                let share = f64::from(reason.0) / f64::from(reason.1);
                let is_bad = has_failed
                    && reason.1 >= rules.minimum.min(rules.window)
                    && share >= rules.failure_share;
                is_bad.then(|| state.open(rules.cool_down, reason))
            }
            Phase::HalfOpen { .. } if has_failed => {
                let longer = state.cool_down.saturating_mul(2).min(rules.longest);
                let reason = state.reason;
                Some(state.open(longer, reason))
            }
            Phase::HalfOpen { .. } => {
                state.enter(Phase::Closed(Recent::default()));
                Some(BreakerChange::Closed)
            }
            Phase::Open { .. } => None,
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.circuit.state);
        if self.is_probe && state.generation == self.generation {
            state.phase = Phase::HalfOpen { is_probing: false };
        }
    }
}

impl Recent {
    fn note(&mut self, has_failed: bool, window: u32) {
        let kept = u64::MAX >> (u64::BITS - window.clamp(1, u64::BITS));
        self.bits = (self.bits << 1 | u64::from(has_failed)) & kept;
        self.count = (self.count + 1).min(window.clamp(1, u64::BITS));
    }

    fn failures(&self) -> u32 {
        self.bits.count_ones()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circuit() -> Circuit {
        Circuit::new(Rules {
            window: 4,
            minimum: 3,
            failure_share: 0.5,
            cool_down: Duration::from_secs(10),
            longest: Duration::from_secs(30),
        })
    }

    fn pass(circuit: &Circuit, has_failed: bool) -> Option<BreakerChange> {
        circuit.admit().0.unwrap().end(has_failed)
    }

    fn opened(seconds: u64) -> BreakerChange {
        BreakerChange::Opened(Duration::from_secs(seconds))
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_at_the_share_and_closes_after_a_good_probe() {
        let circuit = circuit();
        assert_eq!(pass(&circuit, true), None);
        assert_eq!(pass(&circuit, true), None, "two are too few");
        assert_eq!(pass(&circuit, false), None, "a success opens nothing");
        assert_eq!(pass(&circuit, true), Some(opened(10)));
        let refusal = circuit.admit().0.unwrap_err();
        assert_eq!((refusal.failures, refusal.of), (3, 4));
        assert_eq!(refusal.left, Some(Duration::from_secs(10)));

        tokio::time::advance(Duration::from_secs(10)).await;
        let (probe, change) = circuit.admit();
        assert_eq!(change, Some(BreakerChange::HalfOpened));
        assert_eq!(
            circuit.admit().0.unwrap_err().left,
            None,
            "one probe at a time"
        );
        assert_eq!(probe.unwrap().end(false), Some(BreakerChange::Closed));
        assert_eq!(pass(&circuit, true), None, "and the past is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn a_bad_probe_opens_it_for_twice_as_long_up_to_a_limit() {
        let circuit = circuit();
        for _ in 0..3 {
            pass(&circuit, true);
        }
        for (waited, next) in [(10, 20), (20, 30), (30, 30)] {
            tokio::time::advance(Duration::from_secs(waited)).await;
            assert_eq!(pass(&circuit, true), Some(opened(next)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_probe_makes_room_and_old_requests_judge_nothing() {
        let circuit = circuit();
        let old = circuit.admit().0.unwrap();
        for _ in 0..3 {
            pass(&circuit, true);
        }
        tokio::time::advance(Duration::from_secs(10)).await;
        drop(circuit.admit().0.unwrap());
        let probe = circuit.admit().0.unwrap();
        assert_eq!(old.end(false), None, "it began before all this");
        assert!(circuit.admit().0.is_err());
        assert_eq!(probe.end(false), Some(BreakerChange::Closed));
    }

    #[tokio::test(start_paused = true)]
    async fn the_window_moves_on() {
        let circuit = circuit();
        for has_failed in [true, false, false, false, true, false, false, false, true] {
            assert_eq!(pass(&circuit, has_failed), None);
        }
    }
}
