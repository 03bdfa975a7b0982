//! A batch on its way: split, submitted in its turn, joined again.

use std::sync::Arc;

use futures_util::future::join_all;
use tinker_types::{Datum, ForwardBackward, ForwardBackwardOutput, Loss, RequestType};
use tokio::time::Instant;

use super::Training;
use crate::batch::{self, Part};
use crate::combine::combine;
use crate::error::{Error, PartlyDone};
use crate::link::Link;
use crate::pass;
use crate::pending::Pending;
use crate::promise::Promise;
use crate::sequencer::Turn;
use crate::waiting::{Board, WaitingFor};

/// A batch, and the requests it travels in.
struct Batch {
    data: Arc<[Datum]>,
    loss: Loss,
    forward_only: bool,
    parts: Vec<Part>,
    turn: Turn,
}

/// Takes a turn with one sequence id for each request, and sets off.
pub(super) fn start(
    inner: &Arc<Training>,
    data: Arc<[Datum]>,
    loss: Loss,
    forward_only: bool,
) -> Pending<ForwardBackwardOutput> {
    if let Err(error) = inner.core.check_open() {
        return Pending::refused(error);
    }
    // A training client exists only once the link does.
    let Some(link) = inner.core.opened_link().cloned() else {
        return Pending::refused(crate::error::Closed::by_caller());
    };
    let flags = link.flags.fixed();
    let parts = batch::split(
        &data,
        flags.fwdbwd_max_chunk_len,
        flags.fwdbwd_max_chunk_bytes_count,
    );
    let batch = Batch {
        turn: inner.sequencer.reserve(parts.len()),
        data,
        loss,
        forward_only,
        parts,
    };
    let (inner, board) = (Arc::clone(inner), Board::new(WaitingFor::Turn));
    Pending::detached(board.clone(), async move {
        batch.run(&inner, &link, &board).await
    })
}

impl Batch {
    async fn run(
        self,
        inner: &Training,
        link: &Arc<Link>,
        board: &Board,
    ) -> Result<ForwardBackwardOutput, Error> {
        let started = Instant::now();
        self.turn.begins().await;
        inner.core.check_open()?;
        board.set(WaitingFor::Acceptance);
        let submitted = self.submit(inner, link, started).await;
        let (operation, requests) = (self.operation(), self.parts.len());
        // The turn ends and the data is freed while the results are waited for.
        drop(self);
        let results = submitted
            .into_iter()
            .map(|promise| async { promise?.resolve(link, board, &inner.log).await });
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

    /// Submits every request, whatever becomes of the others: the server does what it has accepted
    /// in any case, and a sequence id it never sees would hold up all that follow.
    ///
    /// With several at a time the first goes last, because the server begins when it has that one.
    async fn submit(
        &self,
        inner: &Training,
        link: &Link,
        started: Instant,
    ) -> Vec<Result<Promise, Error>> {
        let submit = |index| self.submit_part(inner, link, index, started);
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
        let seq_id = self.turn.ids().start + index as u64;
        let pass =
            ForwardBackward::new(inner.info.model_id.clone(), seq_id, data, self.loss.clone())
                .with_forward_only(self.forward_only);
        let submitted = pass::submit(link, self.operation(), pass, *bytes).await?;
        Ok(Promise {
            operation: self.operation(),
            request_type: if self.forward_only {
                RequestType::Forward
            } else {
                RequestType::ForwardBackward
            },
            request_id: submitted.request_id,
            accepted_after: started.elapsed(),
        })
    }

    fn operation(&self) -> &'static str {
        if self.forward_only {
            "forward"
        } else {
            "forward_backward"
        }
    }
}
