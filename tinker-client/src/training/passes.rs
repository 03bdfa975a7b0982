//! A batch on its way: split, submitted in its turn, joined again.

use std::sync::Arc;

use futures_util::future::join_all;
use tinker_types::{Datum, ForwardBackward, ForwardBackwardOutput, Loss, RequestType};
use tokio::time::Instant;

use super::Training;
use crate::batch::{self, Part};
use crate::board::Board;
use crate::combine::combine;
use crate::error::{Closed, Error, PartlyDone};
use crate::link::Link;
use crate::pass;
use crate::pending::Pending;
use crate::promise::Promise;
use crate::waiting::WaitingFor;

/// A batch, and the requests it travels in.
pub(super) struct Batch {
    pub(super) operation: &'static str,
    pub(super) data: Arc<[Datum]>,
    pub(super) loss: Loss,
    pub(super) forward_only: bool,
    pub(super) parts: Vec<Part>,
    /// Sequence id of the first request; the others follow.
    pub(super) first_id: u64,
}

/// The link of a model in training, if work can begin.
pub(super) fn ready(inner: &Training) -> Result<Arc<Link>, Error> {
    inner.check()?;
    // A training client exists only once the link does.
    let link = inner.core.opened_link().cloned();
    Ok(link.ok_or_else(Closed::by_caller)?)
}

/// Splits data into requests as the server wants them.
pub(super) fn split(data: &[Datum], link: &Link) -> Vec<Part> {
    let flags = link.flags.fixed();
    batch::split(
        data,
        flags.fwdbwd_max_chunk_len,
        flags.fwdbwd_max_chunk_bytes_count,
    )
}

/// Takes a turn with one sequence id for each request, and sets off.
pub(super) fn start(
    inner: &Arc<Training>,
    (operation, method): (&'static str, &'static str),
    data: Arc<[Datum]>,
    loss: Loss,
    forward_only: bool,
) -> Pending<ForwardBackwardOutput> {
    let link = match ready(inner) {
        Ok(link) => link,
        Err(error) => return Pending::refused(error),
    };
    let parts = split(&data, &link);
    let turn = inner.sequencer.reserve(parts.len());
    let batch = Batch {
        operation,
        first_id: turn.ids().start,
        data,
        loss,
        forward_only,
        parts,
    };
    let inner = Arc::clone(inner);
    let board = Board::new(method, &inner.line, WaitingFor::Turn);
    Pending::detached(board.clone(), async move {
        turn.begins().await;
        inner.check()?;
        let submitted = batch.submit(&inner, &link, &board).await;
        // The turn ends while the results are waited for.
        drop(turn);
        submitted.results(&link, &board).await
    })
}

/// The requests of a batch, each accepted or failed for good.
pub(super) struct Submitted {
    operation: &'static str,
    promises: Vec<Result<Promise, Error>>,
}

impl Submitted {
    /// Waits for all results and joins them.
    pub(super) async fn results(
        self,
        link: &Arc<Link>,
        board: &Board,
    ) -> Result<ForwardBackwardOutput, Error> {
        let (operation, requests) = (self.operation, self.promises.len());
        let results = self
            .promises
            .into_iter()
            .map(|promise| async { promise?.resolve(link, board).await });
        let mut done = Vec::with_capacity(requests);
        let mut first_error = None;
        for result in join_all(results).await {
            match result {
                Ok(output) => done.push(output),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        match first_error {
            None => Ok(combine(done)),
            Some(error) if done.is_empty() => Err(error),
            Some(error) => Err(PartlyDone::new(operation, done.len(), requests, error).into()),
        }
    }
}

impl Batch {
    /// Submits every request, whatever becomes of the others: the server does what it has accepted
    /// in any case, and a sequence id it never sees would hold up all that follow.
    ///
    /// With several at a time the first goes last, because the server begins when it has that one.
    ///
    /// The data is freed when all are on their way.
    pub(super) async fn submit(self, inner: &Training, link: &Link, board: &Board) -> Submitted {
        board.set(WaitingFor::Acceptance);
        Submitted {
            operation: self.operation,
            promises: self.promises(inner, link, board.method()).await,
        }
    }

    async fn promises(
        &self,
        inner: &Training,
        link: &Link,
        method: &'static str,
    ) -> Vec<Result<Promise, Error>> {
        let started = Instant::now();
        let submit = |index| self.submit_part(inner, link, method, index, started);
        let mut submitted = Vec::with_capacity(self.parts.len());
        if self.parts.len() > 1 && link.flags.fixed().parallel_fwdbwd_chunks {
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
        link: &Link,
        method: &'static str,
        index: usize,
        started: Instant,
    ) -> Result<Promise, Error> {
        let Part { data, bytes } = &self.parts[index];
        // Room before work: a batch of any size is encoded a few requests at a time.
        let _room = link.passes.take(*bytes).await;
        let data = if self.parts.len() == 1 {
            Arc::clone(&self.data)
        } else {
            self.data[data.clone()].into()
        };
        let seq_id = self.first_id + index as u64;
        let pass =
            ForwardBackward::new(inner.info.model_id.clone(), seq_id, data, self.loss.clone())
                .with_forward_only(self.forward_only);
        let submitted = pass::submit(link, (self.operation, method), pass, *bytes).await?;
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
        })
    }
}
