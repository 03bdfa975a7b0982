//! Scheduling on the engine's thread.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tinker_types::{RequestId, SessionId};
use tracing::Span;

use super::message::{Message, Queue, Sampling, Task};
use super::reply::Reply;
use super::share::{Next, Share};
use crate::clock;
use crate::state::Failure;
use tinker_engine::backend::{Backend, JobId};

/// The loop of the engine's thread: short tasks first, then training operations and sampling alternately.
pub(super) struct Schedule {
    backend: Box<dyn Backend>,
    inbox: Receiver<Message>,
    stop: Arc<AtomicBool>,
    front: VecDeque<(Span, Task)>,
    training: VecDeque<(Span, Task)>,
    waiting: VecDeque<Sampling>,
    /// Requests that the backend works on.
    live: HashMap<JobId, Reply>,
    share: Share,
    most_jobs: usize,
}

impl Schedule {
    pub(super) fn new(
        backend: Box<dyn Backend>,
        inbox: Receiver<Message>,
        stop: Arc<AtomicBool>,
        most_jobs: usize,
    ) -> Self {
        Self {
            backend,
            inbox,
            stop,
            front: VecDeque::new(),
            training: VecDeque::new(),
            waiting: VecDeque::new(),
            live: HashMap::new(),
            share: Share::default(),
            most_jobs: most_jobs.max(1),
        }
    }

    pub(super) fn run(mut self) {
        while self.receive() {
            self.run_front();
            // Tasks that arrived meanwhile take part in the choice.
            self.drain();
            match self
                .share
                .next(!self.training.is_empty(), self.has_samples())
            {
                Some(Next::Train) => {
                    if let Some((span, task)) = self.training.pop_front() {
                        let took = self.perform(&span, task);
                        self.share.trained(took);
                    }
                }
                Some(Next::Sample) => {
                    let start = clock::now();
                    self.decode();
                    self.share.sampled(clock::now().duration_since(start));
                }
                None => {}
            }
        }
    }

    fn has_samples(&self) -> bool {
        !(self.waiting.is_empty() && self.live.is_empty())
    }

    /// Receives messages, waiting if there is no other work. Returns false at the end.
    fn receive(&mut self) -> bool {
        let is_idle = self.front.is_empty() && self.training.is_empty() && !self.has_samples();
        if is_idle {
            match self.inbox.recv() {
                Ok(message) => self.take(message),
                Err(_) => return false,
            }
        }
        self.drain();
        !self.stop.load(Ordering::Acquire)
    }

    fn drain(&mut self) {
        while let Ok(message) = self.inbox.try_recv() {
            self.take(message);
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Task {
                queue: Queue::Front,
                span,
                task,
            } => self.front.push_back((span, task)),
            Message::Task {
                queue: Queue::Training,
                span,
                task,
            } => self.training.push_back((span, task)),
            Message::Sample(sampling) => self.waiting.push_back(*sampling),
            Message::Cancel(id) => self.cancel(&id),
            Message::Wake => {}
        }
    }

    fn run_front(&mut self) {
        while let Some((span, task)) = self.front.pop_front() {
            self.perform(&span, task);
        }
    }

    /// Runs a task and returns how long it took. A task that panics drops its promise writers, which fails the promises.
    fn perform(&mut self, span: &Span, task: Task) -> Duration {
        let start = clock::now();
        let backend = &mut *self.backend;
        if catch_unwind(AssertUnwindSafe(|| span.in_scope(|| task(backend)))).is_err() {
            span.in_scope(|| tracing::error!("the engine crashed in an operation"));
        }
        clock::now().duration_since(start)
    }

    /// Admits waiting requests and runs one decoding step.
    fn decode(&mut self) {
        self.admit();
        if self.live.is_empty() {
            return;
        }
        let backend = &mut *self.backend;
        match catch_unwind(AssertUnwindSafe(|| backend.advance())) {
            Ok(ended) => {
                for (id, result) in ended {
                    if let Some(live) = self.live.remove(&id) {
                        live.settle(result);
                    }
                }
                self.tell_watchers();
                // A backend that lost its jobs must not make this thread spin.
                if self.backend.live_jobs() == 0 {
                    self.abandon();
                }
            }
            Err(_) => self.abandon(),
        }
    }

    /// Sends new tokens to token streams.
    fn tell_watchers(&mut self) {
        let (backend, live) = (&*self.backend, &mut self.live);
        let told = catch_unwind(AssertUnwindSafe(|| {
            for (id, live) in live {
                if let Some(watch) = &mut live.watch {
                    backend.peek(*id, &mut |number, tokens, all| {
                        watch.see(number, tokens, all);
                    });
                }
            }
        }));
        if told.is_err() {
            self.abandon();
        }
    }

    /// Submits requests to the backend, which assigns its slots to their sequences. The session with the fewest requests
    /// there comes first, so that many requests of one session do not block another.
    fn admit(&mut self) {
        while self.live.len() < self.most_jobs
            && let Some(next) = self.next_waiting()
            && (self.live.is_empty() || self.waiting[next].has_room())
            && let Some(sampling) = self.waiting.remove(next)
        {
            if !sampling.reply.promise.is_settled() {
                self.submit(sampling);
            }
        }
    }

    fn next_waiting(&self) -> Option<usize> {
        if self.waiting.len() <= 1 {
            return (!self.waiting.is_empty()).then_some(0);
        }
        let mut running: HashMap<&SessionId, usize> = HashMap::new();
        for live in self.live.values() {
            *running.entry(&live.session).or_default() += 1;
        }
        // Of equals the first, which is the oldest.
        (0..self.waiting.len()).min_by_key(|at| {
            running
                .get(&self.waiting[*at].reply.session)
                .copied()
                .unwrap_or(0)
        })
    }

    fn submit(&mut self, sampling: Sampling) {
        let Sampling {
            mut job,
            weights,
            reply,
        } = sampling;
        reply.promise.mark_running();
        let backend = &mut *self.backend;
        let submit = || {
            reply.span.in_scope(|| {
                let loaded = weights.current().map(|kept| kept.load(backend));
                job.weights = loaded.transpose()?;
                backend.submit(job)
            })
        };
        match catch_unwind(AssertUnwindSafe(submit)) {
            Ok(Ok(id)) => {
                self.live.insert(id, reply);
            }
            Ok(Err(refused)) => reply.promise.fail(refused),
            Err(_) => reply
                .promise
                .fail(Failure::server("the engine crashed on this request")),
        }
    }

    fn cancel(&mut self, request: &RequestId) {
        self.waiting
            .retain(|sampling| sampling.reply.promise.id() != request);
        let job = self
            .live
            .iter()
            .find(|(_, live)| live.promise.id() == request)
            .map(|(job, _)| *job);
        if let Some(job) = job {
            self.live.remove(&job);
            self.drop_job(job);
        }
    }

    /// Fails all jobs after a crash while sampling: their state is unknown.
    fn abandon(&mut self) {
        if self.live.is_empty() {
            return;
        }
        tracing::error!("the engine crashed while sampling");
        for (job, live) in std::mem::take(&mut self.live) {
            live.promise.fail(Failure::server(
                "the engine crashed while sampling; sample again",
            ));
            self.drop_job(job);
        }
    }

    fn drop_job(&mut self, job: JobId) {
        let backend = &mut *self.backend;
        let _crashed_again = catch_unwind(AssertUnwindSafe(|| backend.cancel(job)));
    }
}

#[cfg(test)]
mod tests;
