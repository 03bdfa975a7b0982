//! Observers of calls.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::observe::event::Event;

/// Receives events: every attempt, call, retry and change of the gate.
///
/// Called on the task that made the call, so an observer must be fast: count, or push into a queue. Events contain no
/// bodies, headers or keys. Closures that take an event are observers, too.
///
/// ```
/// use std::sync::Arc;
/// use tinker_transport::{Event, Observers};
///
/// let observers = Observers::new();
/// observers.attach(Arc::new(|event: &Event<'_>| {
///     if let Event::Call(call) = event {
///         println!("{} took {:?}", call.operation, call.elapsed);
///     }
/// }));
/// ```
pub trait Observer: Send + Sync {
    /// Handles one event.
    fn observe(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync> Observer for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}

/// A shared list of observers. Clones refer to the same list.
///
/// `O` is the trait object that the list holds: [`Observers`] is the list of HTTP observers; a crate above can keep
/// a list of its own trait.
pub struct ObserverList<O: ?Sized>(Arc<Shared<O>>);

/// The HTTP observers of a transport.
///
/// A transport keeps a clone of the list in its [`TransportConfig`](crate::TransportConfig), so an observer that is
/// attached while calls are in flight receives the events that follow. No event is built while the list is empty.
///
/// ```
/// use std::sync::Arc;
/// use tinker_transport::{Metrics, Transport, TransportConfig};
///
/// # fn run() -> Result<(), tinker_transport::TransportError> {
/// let config = TransportConfig::new("http://localhost:8000");
/// let observers = config.observers.clone();
/// let transport = Transport::from_config(config)?;
///
/// let metrics = Metrics::new();
/// observers.attach(Arc::new(metrics.clone()));
/// observers.attach_logger();
/// # Ok(())
/// # }
/// ```
pub type Observers = ObserverList<dyn Observer>;

struct Shared<O: ?Sized> {
    /// Kept apart from the list: a stack without observers takes no lock.
    is_watched: AtomicBool,
    list: RwLock<Arc<[Arc<O>]>>,
}

impl<O: ?Sized> ObserverList<O> {
    /// An empty list.
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            is_watched: AtomicBool::new(false),
            list: RwLock::new(Arc::new([])),
        }))
    }

    /// Adds an observer.
    pub fn attach(&self, observer: Arc<O>) {
        let mut list = self.0.list.write().unwrap_or_else(PoisonError::into_inner);
        *list = list.iter().cloned().chain([observer]).collect();
        self.0.is_watched.store(true, Ordering::Release);
    }

    /// Removes an observer, through whichever clone it was attached.
    pub fn detach(&self, observer: &Arc<O>) {
        let mut list = self.0.list.write().unwrap_or_else(PoisonError::into_inner);
        *list = list
            .iter()
            .filter(|known| !Arc::ptr_eq(known, observer))
            .cloned()
            .collect();
        self.0.is_watched.store(!list.is_empty(), Ordering::Release);
    }

    /// Whether no observer is attached.
    pub fn is_empty(&self) -> bool {
        !self.0.is_watched.load(Ordering::Acquire)
    }

    /// The attached observers; `None` if the list is empty. No lock is held, so an observer may attach another.
    pub fn attached(&self) -> Option<Arc<[Arc<O>]>> {
        if self.is_empty() {
            return None;
        }
        let list = self.0.list.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&list))
    }
}

impl Observers {
    /// Reports an event to every observer. The event is built only if one is attached.
    pub fn emit<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        let Some(list) = self.attached() else {
            return;
        };
        let event = event();
        for observer in &*list {
            observer.observe(&event);
        }
    }
}

impl<O: ?Sized> Clone for ObserverList<O> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<O: ?Sized> Default for ObserverList<O> {
    fn default() -> Self {
        Self::new()
    }
}

impl<O: ?Sized> fmt::Debug for ObserverList<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = self.0.list.read().unwrap_or_else(PoisonError::into_inner);
        write!(f, "Observers({})", list.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;
    use crate::flow::class::Class;

    #[test]
    fn clones_are_one_list_and_detached_observers_hear_nothing() {
        let observers = Observers::new();
        observers.clone().emit(|| unreachable!("nobody is there"));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        let first: Arc<dyn Observer> =
            Arc::new(move |event: &Event<'_>| log.lock().unwrap().push(format!("{event:?}")));
        observers.clone().attach(Arc::clone(&first));
        let admitted = |operation| Event::Admitted {
            operation,
            class: Class::Sample,
            waited: Duration::from_secs(2),
        };
        observers.emit(|| admitted("sample"));
        observers.detach(&first);
        observers.emit(|| admitted("other"));
        let heard = heard.lock().unwrap();
        assert_eq!(heard.len(), 1);
        assert!(heard[0].contains("sample") && heard[0].contains("2s"));
        assert!(observers.is_empty());
    }

    #[test]
    fn an_observer_may_attach_another() {
        let observers = Observers::new();
        let list = observers.clone();
        observers.attach(Arc::new(move |_: &Event<'_>| list.attach_logger()));
        let event = || Event::Limit {
            class: Class::Sample,
            before: 1,
            after: 2,
        };
        observers.emit(event);
        assert_eq!(format!("{observers:?}"), "Observers(2)");
    }
}
