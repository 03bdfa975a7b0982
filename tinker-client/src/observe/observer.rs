//! Observers of a client.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tinker_transport::{Event, Logger, Metrics, Observer, ObserverList, Observers};

use super::event::{ClientEvent, PromiseStep};

/// An observer of a client's events.
///
/// Called on the task that causes the event, so an implementation must be quick: count, or push into a queue.
/// Implemented by closures over an event, by [`Metrics`] and by [`Logger`].
pub trait ClientObserver: Send + Sync {
    /// Receives an event.
    fn observe(&self, event: &ClientEvent<'_>);
}

impl<F: Fn(&ClientEvent<'_>) + Send + Sync> ClientObserver for F {
    fn observe(&self, event: &ClientEvent<'_>) {
        self(event);
    }
}

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

/// The observers of a service client. Clones refer to the same list.
///
/// Observers can be attached and detached at any time. No event is built while none is attached.
#[derive(Clone)]
pub struct ClientObservers {
    list: ObserverList<dyn ClientObserver>,
    http: Observers,
    /// Forwards HTTP events while an observer is attached.
    forward: Arc<Mutex<Option<Arc<dyn Observer>>>>,
}

impl ClientObservers {
    /// An empty list that takes HTTP events from `http`.
    pub(crate) fn new(http: Observers) -> Self {
        Self {
            list: ObserverList::new(),
            http,
            forward: Arc::default(),
        }
    }

    /// Adds an observer.
    pub fn attach(&self, observer: Arc<dyn ClientObserver>) {
        let mut forward = self.forward.lock().unwrap_or_else(PoisonError::into_inner);
        self.list.attach(observer);
        if forward.is_none() {
            let list = self.list.clone();
            let http = move |event: &Event<'_>| emit(&list, || ClientEvent::Http(event));
            let http: Arc<dyn Observer> = Arc::new(http);
            self.http.attach(Arc::clone(&http));
            *forward = Some(http);
        }
    }

    /// Adds a [`Logger`], which writes events to `tracing`.
    pub fn attach_logger(&self) {
        self.attach(Arc::new(Logger::new()));
    }

    /// Removes an observer, through whichever clone it was attached.
    pub fn detach(&self, observer: &Arc<dyn ClientObserver>) {
        let mut forward = self.forward.lock().unwrap_or_else(PoisonError::into_inner);
        self.list.detach(observer);
        if self.list.is_empty()
            && let Some(http) = forward.take()
        {
            self.http.detach(&http);
        }
    }

    /// Reports an event to every observer. The event is built only if one is attached.
    pub(crate) fn emit<'a>(&self, event: impl FnOnce() -> ClientEvent<'a>) {
        emit(&self.list, event);
    }
}

impl fmt::Debug for ClientObservers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client{:?}", self.list)
    }
}

fn emit<'a>(list: &ObserverList<dyn ClientObserver>, event: impl FnOnce() -> ClientEvent<'a>) {
    let Some(list) = list.attached() else {
        return;
    };
    let event = event();
    for observer in &*list {
        observer.observe(&event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_events_are_taken_while_an_observer_is_attached() {
        let http = Observers::new();
        let observers = ClientObservers::new(http.clone());
        let observer: Arc<dyn ClientObserver> = Arc::new(|_: &ClientEvent<'_>| {});
        for _ in 0..2 {
            assert!(http.is_empty());
            observers.attach(Arc::clone(&observer));
            assert!(!http.is_empty());
            observers.detach(&observer);
        }
        assert!(http.is_empty());
    }
}
