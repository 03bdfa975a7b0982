//! Observers of a client.

use std::sync::{Arc, Once};

use tinker_transport::{Event, Logger, ObserverList, Observers};

use super::event::ClientEvent;

/// An observer of a client's events.
///
/// Called on the task that causes the event, so an implementation must be quick: count, or push into a queue.
/// Implemented by closures over an event, by [`Metrics`](tinker_transport::Metrics) and by [`Logger`].
pub trait ClientObserver: Send + Sync {
    /// Receives an event.
    fn observe(&self, event: &ClientEvent<'_>);
}

impl<F: Fn(&ClientEvent<'_>) + Send + Sync> ClientObserver for F {
    fn observe(&self, event: &ClientEvent<'_>) {
        self(event);
    }
}

/// The observers of a service client. Clones refer to the same list.
///
/// Observers can be attached and detached at any time. No event is built while none is attached.
#[derive(Debug, Clone)]
pub struct ClientObservers {
    list: ObserverList<dyn ClientObserver>,
    http: Observers,
    /// Forwards HTTP events from the first attached observer on.
    forward: Arc<Once>,
}

impl ClientObservers {
    /// An empty list that takes HTTP events from `http`.
    pub(crate) fn new(http: Observers) -> Self {
        Self {
            list: ObserverList::new(),
            http,
            forward: Arc::new(Once::new()),
        }
    }

    /// Adds an observer.
    pub fn attach(&self, observer: Arc<dyn ClientObserver>) {
        self.list.attach(observer);
        self.forward.call_once(|| {
            let list = self.list.clone();
            let forward = move |event: &Event<'_>| emit(&list, || ClientEvent::Http(event));
            self.http.attach(Arc::new(forward));
        });
    }

    /// Adds a [`Logger`], which writes events to `tracing`.
    pub fn attach_logger(&self) {
        self.attach(Arc::new(Logger::new()));
    }

    /// Removes an observer, through whichever clone it was attached.
    pub fn detach(&self, observer: &Arc<dyn ClientObserver>) {
        self.list.detach(observer);
    }

    /// Reports an event to every observer. The event is built only if one is attached.
    pub(crate) fn emit<'a>(&self, event: impl FnOnce() -> ClientEvent<'a>) {
        emit(&self.list, event);
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
