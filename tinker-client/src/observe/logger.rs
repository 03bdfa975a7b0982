//! Log lines of a client's events.

use std::time::Duration;

use tinker_transport::{Logger, Observer};

use super::event::{ClientEvent, PromiseStep};
use super::observer::ClientObserver;

/// HTTP events as the transport writes them; failed and stuck operations as warnings, waiting ones as information, other
/// steps of operations for debugging.
impl ClientObserver for Logger {
    fn observe(&self, event: &ClientEvent<'_>) {
        match *event {
            ClientEvent::Http(event) => Observer::observe(self, event),
            ClientEvent::Waiting {
                operation,
                id,
                waiting,
            } => {
                let (state, reason) = (waiting.reason.state(), waiting.reason.explanation());
                let since = seconds(waiting.elapsed());
                if state == "active" {
                    tracing::debug!(target: "tinker", operation, id, state, reason, since, "waiting");
                } else {
                    tracing::info!(target: "tinker", operation, id, state, reason, since, "waiting");
                }
            }
            ClientEvent::Stuck {
                operation,
                id,
                waiting,
            } => {
                let (state, reason) = (waiting.reason.state(), waiting.reason.explanation());
                let since = seconds(waiting.elapsed());
                tracing::warn!(target: "tinker", operation, id, state, reason, since, "stuck");
            }
            ClientEvent::Promise {
                operation,
                id,
                step,
                elapsed,
            } => {
                let (elapsed, name) = (seconds(elapsed), step.name());
                match step {
                    PromiseStep::Failed | PromiseStep::Expired => {
                        tracing::warn!(target: "tinker", operation, id, step = name, elapsed, "work");
                    }
                    PromiseStep::Done | PromiseStep::Cancelled | PromiseStep::Accepted => {
                        tracing::debug!(target: "tinker", operation, id, step = name, elapsed, "work");
                    }
                }
            }
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
    use crate::fixture::traced;
    use crate::operation::waiting::{Waiting, WaitingFor};

    #[tokio::test(start_paused = true)]
    async fn a_waiting_operation_is_one_line() {
        let waiting = Waiting::new(WaitingFor::Server {
            state: Some(tinker_types::QueueState::PausedCapacity),
            reason: Some("no free node".to_owned()),
        });
        tokio::time::advance(Duration::from_millis(1500)).await;
        let (lines, guard) = traced();
        let event = ClientEvent::Waiting {
            operation: "step",
            id: "r-1",
            waiting: &waiting,
        };
        ClientObserver::observe(&Logger::new(), &event);
        drop(guard);
        let text = lines.text();
        let fields = "operation=\"step\" id=\"r-1\" state=\"paused_capacity\" reason=\"no free node\" since=1.5";
        assert!(text.contains(fields) && text.contains("INFO"), "{text}");
    }
}
