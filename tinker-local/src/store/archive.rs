//! The thread that reads and writes the disk.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use tracing::Span;

use super::{Store, StoreError};

type Task = Box<dyn FnOnce(&mut Store) + Send>;

enum Message {
    Task(Span, Task),
    Stop,
}

/// Bytes that may wait to be written before saving operations wait for the disk.
const MOST_WAITING: usize = 256 << 20;

/// Bytes that wait to be written.
#[derive(Debug)]
pub(crate) struct Backlog {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Backlog {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A handle to the thread that owns the [`Store`]. Tasks run in the order they were given, so a load finds what an
/// earlier save wrote.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    inbox: Sender<Message>,
    /// Bytes that wait to be written.
    waiting: Arc<AtomicUsize>,
}

impl Archive {
    pub(crate) fn start(mut store: Store) -> io::Result<(Self, JoinHandle<()>)> {
        let (inbox, outbox) = mpsc::channel();
        let run = move || {
            while let Some(Message::Task(span, task)) = receive(&outbox, &mut store) {
                if catch_unwind(AssertUnwindSafe(|| span.in_scope(|| task(&mut store)))).is_err() {
                    span.in_scope(|| tracing::error!("the store crashed in an operation"));
                }
            }
            // Closed before the queue is dropped: dropping a task may send another one, which needs this thread.
            drop(store);
        };
        let thread = std::thread::Builder::new()
            .name("tinker-store".to_owned())
            .spawn(run)?;
        let archive = Self {
            inbox,
            waiting: Arc::default(),
        };
        Ok((archive, thread))
    }

    /// Runs a task on the thread, inside the caller's span. After the thread's end the task is dropped.
    pub(crate) fn run(&self, task: impl FnOnce(&mut Store) + Send + 'static) {
        let _gone = self
            .inbox
            .send(Message::Task(Span::current(), Box::new(task)));
    }

    /// Counts bytes that wait to be written, until the value is dropped.
    pub(crate) fn add_backlog(&self, bytes: usize) -> Backlog {
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        Backlog {
            all: Arc::clone(&self.waiting),
            bytes,
        }
    }

    /// Whether so many bytes wait that further saves would fill the memory.
    pub(crate) fn is_behind(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > MOST_WAITING
    }

    /// Runs a task and waits for what it returns, without blocking the caller's thread.
    pub(crate) async fn ask<R: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Store) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.run(move |store| {
            let _nobody_waits = reply.send(task(store));
        });
        answer.await.unwrap_or(Err(StoreError::Stopped))
    }

    /// Stops the thread after the tasks given so far.
    pub(crate) fn stop(&self) {
        let _gone = self.inbox.send(Message::Stop);
    }
}

/// The next message. Removes checkpoints that expire while it waits.
fn receive(outbox: &Receiver<Message>, store: &mut Store) -> Option<Message> {
    loop {
        let Some(wait) = store.next_expiry() else {
            return outbox.recv().ok();
        };
        match outbox.recv_timeout(wait) {
            Ok(message) => return Some(message),
            Err(RecvTimeoutError::Timeout) => store.drop_expired(),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}
