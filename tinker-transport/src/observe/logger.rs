//! Log lines from events.

use std::sync::Arc;
use std::time::Duration;

use tracing::Level;

use crate::flow::class::Class;
use crate::observe::event::{BreakerChange, End, Event, GateChange, Observation};
use crate::observe::observer::{Observer, Observers};

/// Writes events to `tracing`, under the target `tinker`.
///
/// | level | what |
/// |---|---|
/// | warn | failed or refused calls, a closed gate, an open breaker |
/// | info | retries, calls without an answer for seconds, a breaker that closes |
/// | debug | answered calls, attempts, polls, heartbeats, telemetry, waits for a permit, changed limits, hedges |
///
/// Attach it with [`TransportConfig::with_logger`](crate::TransportConfig::with_logger) or
/// [`Observers::attach_logger`](crate::Observers::attach_logger); to see the lines, the program
/// needs a subscriber, for example that of `tracing-subscriber`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Logger(());

impl Logger {
    /// A logger. It has no settings; use a filter of the subscriber.
    pub fn new() -> Self {
        Self(())
    }
}

impl Observers {
    /// Adds a [`Logger`], which writes events to `tracing`.
    pub fn attach_logger(&self) {
        self.attach(Arc::new(Logger::new()));
    }
}

/// Logs at a level that is known only at run time.
macro_rules! log_at {
    ($level:expr, $($rest:tt)*) => {
        match $level {
            Level::WARN => tracing::warn!(target: "tinker", $($rest)*),
            Level::INFO => tracing::info!(target: "tinker", $($rest)*),
            _ => tracing::debug!(target: "tinker", $($rest)*),
        }
    };
}

impl Observer for Logger {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Attempt(seen) => log_attempt(seen),
            Event::Call(seen) => log_call(seen),
            Event::Retry {
                operation,
                attempts,
                outcome,
                wait,
                ..
            } => {
                let wait = seconds(*wait);
                tracing::info!(target: "tinker", operation, attempts, ?outcome, wait, "trying again");
            }
            Event::Unanswered {
                operation,
                class,
                attempts,
                elapsed,
                ..
            } => {
                let elapsed = seconds(*elapsed);
                // A long poll takes its time.
                let level = match class {
                    Class::Retrieve | Class::Telemetry => Level::DEBUG,
                    _ => Level::INFO,
                };
                log_at!(level, operation, attempts, elapsed, "no answer yet");
            }
            Event::Admitted {
                operation, waited, ..
            } => {
                let waited = seconds(*waited);
                tracing::debug!(target: "tinker", operation, waited, "waited for a permit");
            }
            Event::Gate {
                operation, change, ..
            } => log_gate(operation, *change),
            Event::Breaker { subject, change } => log_breaker(subject, *change),
            Event::Limit {
                class,
                before,
                after,
            } => {
                let class = class.name();
                tracing::debug!(target: "tinker", class, before, after, "concurrency limit moved");
            }
            Event::Hedge {
                operation,
                after,
                has_won,
                ..
            } => {
                let after = seconds(*after);
                tracing::debug!(target: "tinker", operation, after, has_won, "hedged");
            }
        }
    }
}

fn log_attempt(seen: &Observation<'_>) {
    let Observation {
        operation, attempt, ..
    } = seen;
    let elapsed = seconds(seen.elapsed);
    match seen.end {
        End::Answered(status) => {
            let status = status.as_u16();
            tracing::debug!(target: "tinker", operation, attempt, status, elapsed, "attempt answered");
        }
        End::Failed(error) => {
            tracing::debug!(target: "tinker", operation, attempt, elapsed, %error, "attempt failed");
        }
        End::Dropped => {
            tracing::debug!(target: "tinker", operation, attempt, elapsed, "attempt dropped");
        }
    }
}

fn log_call(seen: &Observation<'_>) {
    let Observation {
        operation,
        method,
        path,
        attempt: attempts,
        ..
    } = seen;
    let elapsed = seconds(seen.elapsed);
    // Failed polls and telemetry are routine, and their senders continue.
    let is_routine = matches!(seen.class, Class::Retrieve | Class::Telemetry);
    match seen.end {
        End::Answered(status) => {
            let level = match status.as_u16() {
                400.. if !is_routine => Level::WARN,
                _ => Level::DEBUG,
            };
            let status = status.as_u16();
            log_at!(level, operation, %method, path, status, attempts, elapsed, "answered");
        }
        End::Failed(error) => {
            let level = if is_routine {
                Level::DEBUG
            } else {
                Level::WARN
            };
            log_at!(level, operation, %method, path, attempts, elapsed, %error, "failed");
        }
        End::Dropped => {
            tracing::debug!(target: "tinker", operation, %method, path, elapsed, "dropped");
        }
    }
}

fn log_gate(operation: &str, change: GateChange) {
    match change {
        GateChange::Throttled(time) => {
            let wait = seconds(time);
            tracing::warn!(target: "tinker", operation, wait, "the server asks samples to slow down (429)");
        }
        GateChange::Paused(time) => {
            let wait = seconds(time);
            tracing::warn!(target: "tinker", operation, wait, "the server holds work back for billing reasons (402)");
        }
        GateChange::Holding => tracing::debug!(target: "tinker", operation, "held at the gate"),
        GateChange::Passed(time) => {
            let waited = seconds(time);
            tracing::debug!(target: "tinker", operation, waited, "passed the gate");
        }
    }
}

fn log_breaker(subject: &str, change: BreakerChange) {
    match change {
        BreakerChange::Opened(time) => {
            let wait = seconds(time);
            tracing::warn!(target: "tinker", subject, wait, "circuit breaker opened: the server keeps failing");
        }
        BreakerChange::HalfOpened => {
            tracing::info!(target: "tinker", subject, "circuit breaker half open: probing");
        }
        BreakerChange::Closed => {
            tracing::info!(target: "tinker", subject, "circuit breaker closed: the server is well");
        }
    }
}

/// Rounded to milliseconds.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gate;
    use crate::error::{Kind, Stage, TransportError};
    use crate::fixture::{leaf, request, scripted, traced};
    use crate::layer::{GateLayer, ObserveLayer, RetryLayer};
    use crate::request::call::Call;
    use crate::request::replay::Replay;

    #[tokio::test(start_paused = true)]
    async fn one_line_each_at_a_fitting_level() {
        let observers = Observers::new();
        observers.attach_logger();
        let stack = |leaf: crate::Transport| {
            leaf.layer(GateLayer::new(Gate::new()).with_observers(observers.clone()))
                .layer(RetryLayer::new().with_observers(observers.clone()))
                .layer(ObserveLayer::calls(observers.clone()))
        };
        let call = |class| request(Call::new("step", class).with_replay(Replay::Safe));
        let (lines, guard) = traced();
        let answering = stack(scripted(&[503, 200, 429, 200, 404, 404, 200]).0);
        for class in [
            Class::Train,
            Class::Sample,
            Class::Rest,
            Class::Retrieve,
            Class::Session,
        ] {
            answering.call(call(class)).await.unwrap();
        }
        let failing = stack(leaf(|_| async {
            let error = TransportError::new(Kind::Layer, Stage::MaybeReceived, "it broke");
            Err(error)
        }));
        failing.call(call(Class::Rest)).await.unwrap_err();
        drop(guard);

        // The layers themselves say "trying again" and "not trying again" at level debug.
        let text = lines.text();
        let told: Vec<_> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with("DEBUG trying again"))
            .filter(|line| !line.starts_with("DEBUG not trying again"))
            .collect();
        let answered = |status, rest: &str| {
            format!("answered operation=\"step\" method=POST path=\"/x\" status={status} {rest}")
        };
        let expected = [
            "INFO trying again operation=\"step\" attempts=1 outcome=Transient(503) wait=1.0".into(),
            format!("DEBUG {}", answered(200, "attempts=2 elapsed=1.0")),
            "WARN the server asks samples to slow down (429) operation=\"step\" wait=1.0".into(),
            "DEBUG held at the gate operation=\"step\"".into(),
            "DEBUG passed the gate operation=\"step\" waited=1.0".into(),
            format!("DEBUG {}", answered(200, "attempts=1 elapsed=1.0")),
            format!("WARN {}", answered(404, "attempts=1 elapsed=0.0")),
            format!("DEBUG {}", answered(404, "attempts=1 elapsed=0.0")),
            format!("DEBUG {}", answered(200, "attempts=1 elapsed=0.0")),
            "WARN failed operation=\"step\" method=POST path=\"/x\" attempts=1 elapsed=0.0 error=it broke (step)".into(),
        ];
        assert_eq!(told, expected, "{text}");
    }
}
