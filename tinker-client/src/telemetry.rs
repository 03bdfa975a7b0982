//! Reports to the server about how work goes, in batches.

mod report;
mod words;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, TimestampRound, Unit};
use serde_json::Value;
use tinker_types::{Event, EventKind, SendTelemetry, SessionId, Severity};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use uuid::Uuid;

pub(crate) use report::Polled;

use crate::identity::PROTOCOL_VERSION;

/// Events wait this long for others to travel with.
const PERIOD: Duration = Duration::from_secs(10);
/// A program that ends waits this long for its last report.
const FAREWELL: Duration = Duration::from_secs(5);
/// Most events of one request.
const BATCH: usize = 100;
/// Most events that wait. What comes on top is dropped.
const LIMIT: usize = 10_000;

/// Takes events and hands them to a task that sends them. Clones are the same queue.
///
/// Nothing of this is ever in the way: an event is dropped when too many wait, a batch when it
/// cannot be delivered, and no error waits for its report. A client with telemetry switched off has
/// none of it.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    events: mpsc::Sender<Event>,
    /// Where the task begins, until it does.
    receiver: Mutex<Option<mpsc::Receiver<Event>>>,
    origin: Arc<Origin>,
    count: AtomicU64,
    is_full: AtomicBool,
    started: (Timestamp, Instant),
}

/// What every batch says about where it comes from, and when to send one.
#[derive(Debug)]
struct Origin {
    session: OnceLock<SessionId>,
    sessionless: String,
    /// Do not wait for more events.
    hurry: Notify,
    /// Events that were delivered, or dropped because they could not be.
    sent: watch::Sender<u64>,
}

impl Telemetry {
    /// A queue that nobody empties yet.
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(LIMIT);
        Self(Arc::new(Queue {
            events: sender,
            receiver: Mutex::new(Some(receiver)),
            origin: Arc::new(Origin {
                session: OnceLock::new(),
                sessionless: format!("sessionless-{}", Uuid::new_v4()),
                hurry: Notify::new(),
                sent: watch::Sender::new(0),
            }),
            count: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
            started: (Timestamp::now(), Instant::now()),
        }))
    }

    /// Starts the task that sends, in a way that cannot fail for it. It ends with the last clone of
    /// this, when it has sent what is left.
    pub(crate) fn start<F>(&self, send: impl Fn(SendTelemetry) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut receiver = self
            .0
            .receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(receiver) = receiver.take() {
            tokio::spawn(deliver(receiver, send, Arc::clone(&self.0.origin)));
        }
    }

    /// A session was opened: events belong to it from now on.
    pub(crate) fn session_started(&self, session: &SessionId) {
        if self.0.origin.session.set(session.clone()).is_ok() {
            self.push(Severity::Info, EventKind::SessionStart);
        }
    }

    /// Takes an event with a name.
    pub(crate) fn note(
        &self,
        severity: Severity,
        name: &str,
        data: impl IntoIterator<Item = (&'static str, Value)>,
    ) {
        let data = data.into_iter();
        let data: BTreeMap<_, _> = data.map(|(key, value)| (key.to_owned(), value)).collect();
        let (event_name, event_data) = (name.to_owned(), data);
        self.push(
            severity,
            EventKind::GenericEvent {
                event_name,
                event_data,
            },
        );
    }

    fn push(&self, severity: Severity, kind: EventKind) {
        let queue = &*self.0;
        let Ok(place) = queue.events.try_reserve() else {
            if !queue.is_full.swap(true, Ordering::Relaxed) {
                tracing::warn!("{LIMIT} telemetry events wait; more are dropped");
            }
            return;
        };
        queue.is_full.store(false, Ordering::Relaxed);
        let index = queue.count.fetch_add(1, Ordering::Relaxed);
        let id = Uuid::new_v4().to_string();
        place.send(Event::new(kind, &id, index, severity, self.now()));
    }

    /// The time, which stands still where a test's clock does.
    fn now(&self) -> Timestamp {
        let (time, instant) = self.0.started;
        let passed = SignedDuration::try_from(instant.elapsed()).unwrap_or_default();
        let now = time.saturating_add(passed).unwrap_or(time);
        now.round(TimestampRound::new().smallest(Unit::Microsecond))
            .unwrap_or(now)
    }

    /// Sends what there is without waiting for more.
    fn hurry(&self) {
        self.0.origin.hurry.notify_one();
    }

    /// Waits until everything so far was sent or dropped, but not for long.
    pub(crate) async fn flush(&self) {
        let so_far = self.0.count.load(Ordering::Relaxed);
        let mut sent = self.0.origin.sent.subscribe();
        self.hurry();
        let all = sent.wait_for(|sent| *sent >= so_far);
        let _ = tokio::time::timeout(FAREWELL, all).await;
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.origin.hurry.notify_one();
    }
}

/// Sends batches until the queue is gone.
async fn deliver<F: Future<Output = ()>>(
    mut events: mpsc::Receiver<Event>,
    send: impl Fn(SendTelemetry) -> F,
    origin: Arc<Origin>,
) {
    let mut batch = Vec::new();
    while let Some(first) = events.recv().await {
        batch.push(first);
        let _ = tokio::time::timeout(PERIOD, origin.hurry.notified()).await;
        loop {
            while batch.len() < BATCH
                && let Ok(event) = events.try_recv()
            {
                batch.push(event);
            }
            if batch.is_empty() {
                break;
            }
            let count = batch.len() as u64;
            send(origin.batch(std::mem::take(&mut batch))).await;
            origin.sent.send_modify(|sent| *sent += count);
        }
    }
}

impl Origin {
    fn batch(&self, events: Vec<Event>) -> SendTelemetry {
        static PROCESS: LazyLock<String> = LazyLock::new(|| Uuid::new_v4().to_string());
        let session = self.session.get().map(SessionId::as_str);
        let session = session.unwrap_or(&self.sessionless);
        SendTelemetry::new(events, PROTOCOL_VERSION, session, &PROCESS)
    }
}

#[cfg(test)]
mod tests;
