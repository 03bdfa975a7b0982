//! Telemetry: batched reports to the server.

mod report;
mod words;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, TimestampRound, Unit};
use serde_json::Value;
use tinker_types::{SendTelemetry, SessionId, Severity, TelemetryEvent, TelemetryEventKind};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use uuid::Uuid;

pub(crate) use report::Polled;

/// Time for which events are collected into a batch.
const PERIOD: Duration = Duration::from_secs(10);
/// Time limit of a flush, so that a program that ends does not hang.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);
/// Largest number of events in one request.
const BATCH: usize = 100;
/// Largest number of queued events. Further events are dropped.
const LIMIT: usize = 10_000;

/// A queue of events and the task that sends them. Clones refer to the same queue.
///
/// Telemetry never delays other work: an event is dropped when the queue is full, a batch when it cannot be delivered,
/// and no call waits for a report. A client with telemetry switched off has no queue.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    events: mpsc::Sender<TelemetryEvent>,
    /// The receiver, until the task takes it.
    receiver: Mutex<Option<mpsc::Receiver<TelemetryEvent>>>,
    origin: Arc<Origin>,
    count: AtomicU64,
    is_full: AtomicBool,
    started: (Timestamp, Instant),
}

/// The sender named in every batch, and the signals for sending one.
#[derive(Debug)]
struct Origin {
    /// The version to claim.
    sdk_version: String,
    session: Mutex<Option<SessionId>>,
    sessionless: String,
    /// Requests sending without waiting for more events.
    hurry: Notify,
    /// Number of events that were delivered or dropped.
    sent: watch::Sender<u64>,
}

impl Telemetry {
    /// A queue without a task.
    pub(crate) fn new(sdk_version: &str) -> Self {
        let (sender, receiver) = mpsc::channel(LIMIT);
        Self(Arc::new(Queue {
            events: sender,
            receiver: Mutex::new(Some(receiver)),
            origin: Arc::new(Origin {
                sdk_version: sdk_version.to_owned(),
                session: Mutex::default(),
                sessionless: format!("sessionless-{}", Uuid::new_v4()),
                hurry: Notify::new(),
                sent: watch::Sender::new(0),
            }),
            count: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
            started: (Timestamp::now(), Instant::now()),
        }))
    }

    /// Starts the task, which sends batches with `send`. It ends after the last clone of this is dropped and the rest is
    /// sent.
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

    /// Assigns later events to a session.
    pub(crate) fn session_started(&self, session: &SessionId) {
        *self.0.origin.session() = Some(session.clone());
        self.push(Severity::Info, TelemetryEventKind::SessionStart);
    }

    /// Queues a named event.
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
            TelemetryEventKind::GenericEvent {
                event_name,
                event_data,
            },
        );
    }

    fn push(&self, severity: Severity, kind: TelemetryEventKind) {
        let queue = &*self.0;
        let Ok(place) = queue.events.try_reserve() else {
            if !queue.is_full.swap(true, Ordering::Relaxed) {
                tracing::warn!("{LIMIT} telemetry events are queued; dropping further events");
            }
            return;
        };
        queue.is_full.store(false, Ordering::Relaxed);
        let index = queue.count.fetch_add(1, Ordering::Relaxed);
        let id = Uuid::new_v4().to_string();
        place.send(TelemetryEvent::new(kind, &id, index, severity, self.now()));
    }

    /// The time according to the tokio clock, which tests can stop.
    fn now(&self) -> Timestamp {
        let (time, instant) = self.0.started;
        let passed = SignedDuration::try_from(instant.elapsed()).unwrap_or_default();
        let now = time.saturating_add(passed).unwrap_or(time);
        now.round(TimestampRound::new().smallest(Unit::Microsecond))
            .unwrap_or(now)
    }

    /// Sends the queued events without waiting for more.
    fn hurry(&self) {
        self.0.origin.hurry.notify_one();
    }

    /// Waits until all events so far were sent or dropped, up to the flush limit.
    pub(crate) async fn flush(&self) {
        let so_far = self.0.count.load(Ordering::Relaxed);
        let mut sent = self.0.origin.sent.subscribe();
        self.hurry();
        let all = sent.wait_for(|sent| *sent >= so_far);
        let _ = tokio::time::timeout(FLUSH_LIMIT, all).await;
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.origin.hurry.notify_one();
    }
}

/// Sends batches until the queue is dropped.
async fn deliver<F: Future<Output = ()>>(
    mut events: mpsc::Receiver<TelemetryEvent>,
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
    fn batch(&self, events: Vec<TelemetryEvent>) -> SendTelemetry {
        static PROCESS: LazyLock<String> = LazyLock::new(|| Uuid::new_v4().to_string());
        let session = self.session();
        let name = session.as_ref().map(SessionId::as_str);
        let name = name.unwrap_or(&self.sessionless);
        SendTelemetry::new(events, &self.sdk_version, name, &PROCESS)
    }

    fn session(&self) -> MutexGuard<'_, Option<SessionId>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
