//! Watching calls from outside: metrics, logs, telemetry.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::event::Event;

/// Is told what happens: every attempt, call, retry and change of the gate.
///
/// Called on the task that made the call, so an observer must be quick: count, or push into a
/// queue. It sees no bodies, headers or keys. A closure that takes an event is one, too.
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
    /// Something happened.
    fn observe(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync> Observer for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}

/// Everyone who is told.
///
/// Clones are one list. A transport keeps a clone of the list in its
/// [`TransportConfig`](crate::TransportConfig), so an observer attached later, while calls are
/// under way, is told of what follows. Whoever stands above the transport can report to the same
/// list with [`emit`](Self::emit). While the list is empty, no event is even put together.
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
#[derive(Clone, Default)]
pub struct Observers(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Said apart from the list, so that a stack nobody watches takes no lock.
    is_watched: AtomicBool,
    list: RwLock<List>,
}

type List = Arc<[Arc<dyn Observer>]>;

impl Observers {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an observer.
    pub fn attach(&self, observer: Arc<dyn Observer>) {
        let mut list = self.0.list.write().unwrap_or_else(PoisonError::into_inner);
        *list = list.iter().cloned().chain([observer]).collect();
        self.0.is_watched.store(true, Ordering::Release);
    }

    /// Removes an observer, wherever it was attached from.
    pub fn detach(&self, observer: &Arc<dyn Observer>) {
        let mut list = self.0.list.write().unwrap_or_else(PoisonError::into_inner);
        *list = list
            .iter()
            .filter(|known| !Arc::ptr_eq(known, observer))
            .cloned()
            .collect();
        self.0.is_watched.store(!list.is_empty(), Ordering::Release);
    }

    /// Is there nobody to tell?
    pub fn is_empty(&self) -> bool {
        !self.0.is_watched.load(Ordering::Acquire)
    }

    /// Tells everyone. The event is made only if there is someone.
    pub fn emit<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        if self.is_empty() {
            return;
        }
        // Not under the lock: an observer may attach another.
        let list = Arc::clone(&self.0.list.read().unwrap_or_else(PoisonError::into_inner));
        let event = event();
        for observer in &*list {
            observer.observe(&event);
        }
    }
}

impl fmt::Debug for Observers {
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
    use crate::event::{Promised, Step, Waiting};

    #[test]
    fn clones_are_one_list_and_detached_observers_hear_nothing() {
        let observers = Observers::new();
        observers.clone().emit(|| unreachable!("nobody is there"));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        let first: Arc<dyn Observer> =
            Arc::new(move |event: &Event<'_>| log.lock().unwrap().push(format!("{event:?}")));
        observers.clone().attach(Arc::clone(&first));
        let since = Duration::from_secs(2);
        observers.emit(|| {
            Event::Waiting(Waiting::new("sample", "paused_capacity", since).with_id("r-1"))
        });
        observers.detach(&first);
        observers.emit(|| Event::Promise(Promised::new("sample", "r-1", Step::Done, since)));
        let heard = heard.lock().unwrap();
        assert_eq!(heard.len(), 1);
        assert!(heard[0].contains("paused_capacity") && heard[0].contains("r-1"));
        assert!(observers.is_empty());
    }

    #[test]
    fn an_observer_may_attach_another() {
        let observers = Observers::new();
        let list = observers.clone();
        observers.attach(Arc::new(move |_: &Event<'_>| list.attach_logger()));
        let event = || Event::Waiting(Waiting::new("x", "active", Duration::ZERO));
        observers.emit(event);
        assert_eq!(format!("{observers:?}"), "Observers(2)");
    }
}
