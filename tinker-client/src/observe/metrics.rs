//! Counting of a client's events.

use tinker_transport::{Metrics, Observer};

use super::event::{ClientEvent, PromiseStep};
use super::observer::ClientObserver;

impl ClientObserver for Metrics {
    fn observe(&self, event: &ClientEvent<'_>) {
        match *event {
            ClientEvent::Http(event) => Observer::observe(self, event),
            ClientEvent::Promise {
                operation,
                step,
                elapsed,
                ..
            } => {
                let result_after = (step == PromiseStep::Done).then_some(elapsed);
                self.record_work(operation, step.name(), result_after);
            }
            ClientEvent::Waiting { .. } | ClientEvent::Stuck { .. } => {}
        }
    }
}
