//! Passes of a batch: split, submitted in order, combined.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use tinker_types::{Datum, ForwardBackward, ForwardBackwardOutput, Loss, RequestType};
use tokio::time::Instant;

use super::model::Training;
use crate::error::{Closed, Error, PartlyDone};
use crate::operation::{pending::Pending, sequencer::Turn, tracker::Tracker, waiting::WaitingFor};
use crate::promise::record::Promise;
use crate::session::connection::Connection;
use crate::training::combine::combine;
use crate::training::fault;
use crate::training::forward;
use crate::training::part::{self, Part};
use crate::training::report::Report;
use crate::training::submit::{Outgoing, submit};

/// A batch and its requests.
pub(super) struct Batch {
    pub(super) operation: &'static str,
    pub(super) data: Arc<[Datum]>,
    pub(super) loss: Loss,
    pub(super) forward_only: bool,
    pub(super) parts: Vec<Part>,
    /// Sequence id of the first request; those of the others follow.
    pub(super) first_id: u64,
}

/// The connection of a model in training, if it accepts work.
pub(super) fn ready(inner: &Training, operation: &'static str) -> Result<Arc<Connection>, Error> {
    inner.check(operation)?;
    // A training client is made after the connection.
    let connection = inner.state.opened_connection().cloned();
    Ok(connection.ok_or_else(Closed::by_caller)?)
}

/// Splits data into requests by the limits of the server.
pub(super) fn split(data: &[Datum], connection: &Connection) -> Vec<Part> {
    let flags = connection.flags.fixed();
    part::split(
        data,
        flags.fwdbwd_max_chunk_len,
        flags.fwdbwd_max_chunk_bytes_count,
    )
}

/// Reserves a turn and starts the operation, with one sequence id for each request.
pub(super) fn start(
    inner: &Arc<Training>,
    (operation, method): (&'static str, &'static str),
    data: Arc<[Datum]>,
    loss: Loss,
    forward_only: bool,
) -> Pending<ForwardBackwardOutput> {
    let connection = match ready(inner, operation) {
        Ok(connection) => connection,
        Err(error) => return Pending::refused(error),
    };
    let batch = Unsent {
        operation,
        parts: split(&data, &connection),
        data,
        loss,
        forward_only,
    };
    let turn = inner.sequencer.reserve();
    let inner = Arc::clone(inner);
    let tracker = Tracker::new(method, &inner.group, WaitingFor::Turn);
    Pending::detached(tracker.clone(), async move {
        let work = async {
            let submitted = batch.submit(&inner, &connection, turn, &tracker).await?;
            submitted.results(&connection, &tracker).await
        };
        match work.await {
            Ok(output) => Ok(output),
            Err(error) => Err(inner.settled(error).await),
        }
    })
}

/// A batch that waits for its turn.
pub(super) struct Unsent {
    pub(super) operation: &'static str,
    pub(super) parts: Vec<Part>,
    pub(super) data: Arc<[Datum]>,
    pub(super) loss: Loss,
    pub(super) forward_only: bool,
}

impl Unsent {
    /// Submits every request in its turn, which ends then. An error means that nothing was sent.
    pub(super) async fn submit(
        self,
        inner: &Training,
        connection: &Arc<Connection>,
        turn: Turn,
        tracker: &Tracker,
    ) -> Result<Submitted, Error> {
        fault::check(&self.loss, &self.data).await?;
        turn.begins().await;
        inner.check(self.operation)?;
        inner.close_gaps(connection, tracker).await?;
        let ids = turn.take(self.parts.len());
        let batch = Batch {
            operation: self.operation,
            first_id: ids.start,
            data: self.data,
            loss: self.loss,
            forward_only: self.forward_only,
            parts: self.parts,
        };
        batch
            .submit(inner, connection, tracker)
            .await
            // Nothing was sent.
            .inspect_err(|_| turn.give_back(&ids))
    }
}

/// The requests of a batch, each accepted or finally failed.
pub(super) struct Submitted {
    operation: &'static str,
    promises: Vec<Result<Promise, Error>>,
    report: Report,
}

impl Submitted {
    /// Whether all requests were accepted.
    pub(super) fn is_whole(&self) -> bool {
        self.promises.iter().all(Result::is_ok)
    }

    /// Waits for all results and combines them.
    pub(super) async fn results(
        self,
        connection: &Arc<Connection>,
        tracker: &Tracker,
    ) -> Result<ForwardBackwardOutput, Error> {
        let (operation, requests) = (self.operation, self.promises.len());
        let results = self
            .promises
            .into_iter()
            .map(|promise| async { promise?.resolve(connection, tracker).await });
        let mut done = Vec::with_capacity(requests);
        let mut first_error = None;
        for result in join_all(results).await {
            match result {
                Ok(output) => done.push(output),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        match first_error {
            None => {
                let mut whole = combine(done);
                if !self.report.complete(&mut whole)
                    && !connection.has_reported_loss.swap(true, Ordering::Relaxed)
                {
                    let loss = self.report.loss();
                    tracing::warn!(
                        loss,
                        "the server does not report the loss of passes, and it cannot be computed from what it reports"
                    );
                }
                Ok(whole)
            }
            Some(error) if done.is_empty() => Err(error),
            Some(error) => Err(PartlyDone::new(operation, done.len(), requests, error).into()),
        }
    }
}

impl Batch {
    /// Submits every request, even if others fail: the server processes accepted requests in any case, and a missing
    /// sequence id would block all later ones. An error means that nothing was sent.
    ///
    /// In parallel submission the first request is sent last, because the server starts when it receives that one. The
    /// data is freed when all requests are submitted.
    pub(super) async fn submit(
        self,
        inner: &Training,
        connection: &Arc<Connection>,
        tracker: &Tracker,
    ) -> Result<Submitted, Error> {
        tracker.set(WaitingFor::Acceptance);
        let by_url = self.forward_only && {
            let subject = forward::Subject {
                state: &inner.state,
                session: inner.session(),
                connection,
                base_model: inner.base_model(),
                rank: inner.info.lora_rank,
                tracker,
            };
            Box::pin(forward::goes_by_url(&subject)).await?
        };
        let promises = self.promises(inner, connection, tracker, by_url).await;
        if promises.iter().any(Result::is_ok) {
            // An accepted request would wait for one before it that the server did not receive.
            let _ = inner.close_gaps(connection, tracker).await;
        }
        Ok(Submitted {
            operation: self.operation,
            report: Report::of(&self.data, &self.loss),
            promises,
        })
    }

    async fn promises(
        &self,
        inner: &Training,
        connection: &Connection,
        tracker: &Tracker,
        by_url: bool,
    ) -> Vec<Result<Promise, Error>> {
        let started = Instant::now();
        let submit = |index| self.submit_part(inner, connection, tracker, index, (started, by_url));
        let mut submitted = Vec::with_capacity(self.parts.len());
        if self.parts.len() > 1 && connection.flags.fixed().parallel_fwdbwd_chunks {
            let rest = join_all((1..self.parts.len()).map(submit)).await;
            submitted.push(submit(0).await);
            submitted.extend(rest);
            return submitted;
        }
        for index in 0..self.parts.len() {
            submitted.push(submit(index).await);
        }
        submitted
    }

    async fn submit_part(
        &self,
        inner: &Training,
        connection: &Connection,
        tracker: &Tracker,
        index: usize,
        (started, by_url): (Instant, bool),
    ) -> Result<Promise, Error> {
        let Part { data, bytes } = &self.parts[index];
        // The budget is taken before the encoding, so that a batch of any size is encoded a few requests at a time.
        let _budget = connection.passes.take(*bytes).await;
        let seq_id = self.first_id + index as u64;
        let (model, all) = (inner.info.model_id.clone(), Arc::clone(&self.data));
        let pass = ForwardBackward::new(model, seq_id, all, self.loss.clone())
            .with_forward_only(self.forward_only);
        let outgoing = Outgoing {
            operation: self.operation,
            tracker,
            pass,
            part: data.clone(),
            bytes: *bytes,
            by_url,
        };
        let submitted = submit(connection, outgoing).await;
        let submitted = inner.sequencer.note(seq_id, submitted)?;
        Ok(Promise {
            operation: self.operation,
            request_type: if self.forward_only {
                RequestType::Forward
            } else {
                RequestType::ForwardBackward
            },
            request_id: submitted.request_id,
            started,
            accepted_after: started.elapsed(),
            behind: inner.sequencer.refused(),
        })
    }
}
