//! Cool-down shared by all calls.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::flow::class::Class;
use crate::mutex::lock;
use crate::request::call::{Billing, Call};

/// Cool-down of small samples after a 429; large ones wait [`LARGE_COOL_DOWN`].
const SMALL_COOL_DOWN: Duration = Duration::from_secs(1);
const LARGE_COOL_DOWN: Duration = Duration::from_secs(5);
/// Estimated bytes up to which a sample counts as small.
const SMALL_SAMPLE: u64 = 131_072;
/// Time after a cool-down during which samples are admitted with care.
const CAREFUL: Duration = Duration::from_secs(10);

/// Step and default limit of the pause after a 402.
const PAUSE_STEP: Duration = Duration::from_secs(5);
pub(crate) const PAUSE_LIMIT: Duration = Duration::from_hours(1);
/// Interval between warnings about the pause.
const PAUSE_NOTICE: Duration = Duration::from_mins(1);
/// A 402 this long after the previous one starts a new pause.
const PAUSE_FORGOTTEN: Duration = Duration::from_mins(5);

/// Shared back-pressure state: one response of 429 or 402 holds all calls it concerns.
///
/// - 429 on a sample closes the gate for samples: one second for small ones (up to 131072 estimated bytes), five for
///   large ones;
/// - 402 pauses every call with [`Billing::Pause`] in steps of five seconds, up to a limit.
///
/// Clones share one state. All transports that `from_config` makes for the same base URL and key share one as well,
/// because the server counts by these.
#[derive(Clone, Default)]
pub struct Gate(Arc<Mutex<Times>>);

#[derive(Debug, Default)]
struct Times {
    throttled_until: Option<Instant>,
    paused_until: Option<Instant>,
    pause: Option<Pause>,
}

#[derive(Debug)]
struct Pause {
    began: Instant,
    noticed: Instant,
}

/// Gates in use, by base URL and credential fingerprint.
type Gates = HashMap<(String, u64), Weak<Mutex<Times>>>;

impl Gate {
    /// A new, open gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// The gate shared by all callers of `base_url` with the credential of this fingerprint.
    pub(crate) fn shared(base_url: &str, fingerprint: u64) -> Self {
        static GATES: LazyLock<Mutex<Gates>> = LazyLock::new(Mutex::default);
        let mut gates = lock(&GATES);
        gates.retain(|_, gate| gate.strong_count() > 0);
        let entry = gates.entry((base_url.to_owned(), fingerprint)).or_default();
        let gate = entry.upgrade().map(Self).unwrap_or_default();
        *entry = Arc::downgrade(&gate.0);
        gate
    }

    /// Closes the gate for samples after a 429 on a sample of this weight. Returns for how long.
    pub fn throttle(&self, weight: u64) -> Duration {
        let cool_down = if weight <= SMALL_SAMPLE {
            SMALL_COOL_DOWN
        } else {
            LARGE_COOL_DOWN
        };
        let until = Instant::now() + cool_down;
        let mut times = lock(&self.0);
        times.throttled_until = Some(
            times
                .throttled_until
                .map_or(until, |earlier| earlier.max(until)),
        );
        cool_down
    }

    /// Records a 402, and returns how long the calls it concerns are held. `None`: the pause exceeds `limit`, and the
    /// response goes to the caller.
    pub fn pause(&self, limit: Duration) -> Option<Duration> {
        let now = Instant::now();
        let mut times = lock(&self.0);
        let known = times
            .pause
            .take()
            .filter(|pause| now - pause.noticed <= PAUSE_FORGOTTEN);
        let is_new = known.is_none();
        let pause = times.pause.insert(known.unwrap_or(Pause {
            began: now,
            noticed: now,
        }));
        let lasted = now - pause.began;
        if lasted > limit {
            return None;
        }
        if is_new || now - pause.noticed >= PAUSE_NOTICE {
            pause.noticed = now;
            tracing::warn!(
                paused_for = ?lasted,
                given_up_after = ?limit,
                "the server holds work back for billing reasons (402); trying again every 5 s"
            );
        }
        times.paused_until = Some(now + PAUSE_STEP);
        Some(PAUSE_STEP)
    }

    /// Whether the server throttled samples within the last seconds.
    pub fn is_throttled(&self) -> bool {
        lock(&self.0)
            .throttled_until
            .is_some_and(|until| Instant::now() < until + CAREFUL)
    }

    /// Whether `call` must wait now.
    pub fn is_closed(&self, call: &Call) -> bool {
        self.closed_until(call).is_some()
    }

    /// Waits until the gate is open for `call`. Returns how long that took.
    pub async fn opened(&self, call: &Call) -> Duration {
        let Some(mut until) = self.closed_until(call) else {
            return Duration::ZERO;
        };
        let began = Instant::now();
        loop {
            tokio::time::sleep_until(until).await;
            match self.closed_until(call) {
                Some(later) => until = later,
                None => return began.elapsed(),
            }
        }
    }

    fn closed_until(&self, call: &Call) -> Option<Instant> {
        let times = lock(&self.0);
        let throttled = times
            .throttled_until
            .filter(|_| call.class == Class::Sample);
        let paused = times
            .paused_until
            .filter(|_| call.billing == Billing::Pause);
        throttled
            .max(paused)
            .filter(|until| *until > Instant::now())
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gate").field(&*lock(&self.0)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_server_and_key_share_a_gate() {
        let (a, b) = (
            Gate::shared("http://a.test", 1),
            Gate::shared("http://a.test", 1),
        );
        a.throttle(1);
        assert!(b.is_throttled());
        assert!(!Gate::shared("http://a.test", 2).is_throttled());
        assert!(!Gate::shared("http://b.test", 1).is_throttled());
        drop((a, b));
        assert!(
            !Gate::shared("http://a.test", 1).is_throttled(),
            "forgotten with its last user"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn samples_are_let_in_carefully_for_ten_seconds_after_the_window() {
        let gate = Gate::new();
        gate.throttle(SMALL_SAMPLE + 1);
        tokio::time::advance(Duration::from_millis(14_999)).await;
        assert!(gate.is_throttled());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!gate.is_throttled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_after_an_hour_and_a_later_one_is_new() {
        let gate = Gate::new();
        let began = Instant::now();
        while gate.pause(PAUSE_LIMIT).is_some() {
            gate.opened(&Call::new("x", Class::Train)).await;
        }
        assert_eq!(began.elapsed(), PAUSE_LIMIT + PAUSE_STEP);
        tokio::time::advance(PAUSE_FORGOTTEN + PAUSE_NOTICE).await;
        assert!(gate.pause(PAUSE_LIMIT).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_logged_once_a_minute() {
        let (lines, guard) = crate::fixture::traced();
        let gate = Gate::new();
        for _ in 0..25 {
            gate.pause(PAUSE_LIMIT);
            gate.opened(&Call::new("x", Class::Train)).await;
        }
        drop(guard);
        let text = lines.text();
        // 402s at 0, 5, .. 120 s.
        assert_eq!(text.matches("billing reasons").count(), 3, "{text}");
    }
}
