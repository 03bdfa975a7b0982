//! The thread that owns the model.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};

use tinker_types::RequestId;
use tokio::sync::oneshot;
use tracing::Span;

use super::message::{Message, Queue, Sampling};
use super::schedule::Schedule;
use crate::Limits;
use tinker_engine::backend::Backend;

/// The engine's thread has ended, or dropped the task after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// A handle to the thread that owns the model. Tasks sent after its end are dropped with their promise writers, so that
/// the promises fail.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    inbox: Sender<Message>,
    stop: Arc<AtomicBool>,
}

impl Worker {
    pub(crate) fn start(backend: Box<dyn Backend>, limits: &Limits) -> io::Result<Self> {
        let (inbox, outbox) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let schedule = Schedule::new(backend, outbox, Arc::clone(&stop), limits.live_sequences);
        std::thread::Builder::new()
            .name("tinker-engine".to_owned())
            .spawn(move || schedule.run())?;
        Ok(Self { inbox, stop })
    }

    /// Runs a task on the thread, inside the caller's span.
    pub(crate) fn run(&self, queue: Queue, task: impl FnOnce(&mut dyn Backend) + Send + 'static) {
        let message = Message::Task {
            queue,
            span: Span::current(),
            task: Box::new(task),
        };
        let _gone = self.inbox.send(message);
    }

    /// Runs a short task and waits for what it returns, without blocking the caller's thread.
    pub(crate) async fn ask<R: Send + 'static>(
        &self,
        task: impl FnOnce(&mut dyn Backend) -> R + Send + 'static,
    ) -> Result<R, Gone> {
        let (reply, answer) = oneshot::channel();
        self.run(Queue::Front, move |backend| {
            let _nobody_waits = reply.send(task(backend));
        });
        answer.await.map_err(|_| Gone)
    }

    /// Queues a sampling request.
    pub(crate) fn sample(&self, sampling: Sampling) {
        let _gone = self.inbox.send(Message::Sample(Box::new(sampling)));
    }

    /// Drops a cancelled sampling request.
    pub(crate) fn cancel(&self, id: RequestId) {
        let _gone = self.inbox.send(Message::Cancel(id));
    }

    /// Stops the thread after the current task. Queued tasks are dropped.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        let _gone = self.inbox.send(Message::Wake);
    }
}
