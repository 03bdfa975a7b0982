//! One long poll for all samples of a sampler, for servers that ask for it.

mod ledger;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use http::StatusCode;
use tinker_transport::policy::Outcome;
use tinker_transport::{Class, Kind, TransportError};
use tinker_types::{Completions, Endpoint, PollTarget, RequestId, RetrieveFutures};
use tokio::time::Instant;

use crate::config::poll_waits::PollWaits;
use crate::error::Error;
use crate::promise::{backoff::PollBackoff, record::Hint};
use crate::wire::api::{Answer, Api};
use crate::wire::request::repeatable;
use crate::wire::{codec, request::json_request};
use ledger::{Ledger, Next};

/// Time limit of a poll that only acknowledges results.
const SHORT: Duration = Duration::from_secs(5);

/// Finds out which samples are done and wakes the operations that wait for them. The task ends when the poller is
/// dropped.
///
/// If the server turns out not to support this poll, every sample is polled for by itself, as without a poller.
#[derive(Debug)]
pub(crate) struct Poller {
    ledger: Arc<Ledger>,
}

impl Poller {
    /// Starts the task; `unreachable_after` is the longest time that the server may be unreachable.
    pub(crate) fn start(
        api: Api,
        target: PollTarget,
        unreachable_after: Duration,
        waits: PollWaits,
    ) -> Self {
        let ledger = Arc::new(Ledger::new(target));
        tokio::spawn(run(Arc::clone(&ledger), api, unreachable_after, waits));
        Self { ledger }
    }

    /// Subscribes a sample that is about to be submitted: its completion may arrive before its id is known.
    pub(crate) fn subscribe(&self) -> Subscription {
        self.ledger.begin();
        Subscription {
            ledger: Arc::clone(&self.ledger),
            phase: Phase::Submitting,
        }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.ledger.close();
    }
}

/// The subscription of one sample; ends on drop.
#[derive(Debug)]
pub(crate) struct Subscription {
    ledger: Arc<Ledger>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Submitting,
    Accepted(RequestId),
}

impl Subscription {
    /// Waits until the result can be fetched.
    pub(crate) async fn hint(&mut self, id: &RequestId) -> Hint {
        let hint = self.ledger.wait_for(id);
        self.phase = Phase::Accepted(id.clone());
        // The sender is dropped without a value only when the runtime shuts down.
        hint.await.unwrap_or(Hint::None)
    }

    /// Acknowledges that the result or error was fetched: the server may delete it.
    pub(crate) fn fetched(self) {
        if let Phase::Accepted(id) = &self.phase {
            self.ledger.fetched(id.clone());
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        match &self.phase {
            Phase::Submitting => self.ledger.end_submission(),
            Phase::Accepted(id) => self.ledger.give_up(id),
        }
    }
}

async fn run(ledger: Arc<Ledger>, api: Api, unreachable_after: Duration, waits: PollWaits) {
    let mut backoff = PollBackoff::new(unreachable_after, waits);
    // Without a back-off: this poll serves all samples.
    let rest = waits.unreachable.wait(0);
    loop {
        let (request, is_short) = match ledger.next() {
            Next::Poll(request) => (request, false),
            Next::Acknowledge(request) => (request, true),
            Next::Rest => {
                ledger.changed().await;
                continue;
            }
            Next::End(None) => return,
            Next::End(Some(request)) => {
                // One attempt to deliver the last acknowledgement.
                let _ = poll(&api, &request, true).await;
                return;
            }
        };
        let asked = Instant::now();
        let poll = pin!(poll(&api, &request, is_short));
        let closed = pin!(ledger.closed());
        let Either::Left((answer, _)) = select(poll, closed).await else {
            continue;
        };
        match judge(answer, &mut backoff) {
            PollOutcome::Heard(completions) => {
                backoff.forgive();
                let is_idle = completions.completions.is_empty();
                let pause = backoff.not_yet(asked.elapsed());
                ledger.hear(&request, completions, is_short);
                if is_idle && !is_short {
                    tokio::time::sleep(pause).await;
                }
            }
            PollOutcome::Again => tokio::time::sleep(rest).await,
            PollOutcome::Lost(since) => {
                ledger.release(Hint::Lost(since));
                backoff = PollBackoff::new(unreachable_after, waits);
                tokio::time::sleep(rest).await;
            }
            PollOutcome::Broken(why) => {
                tracing::warn!(
                    why,
                    "the server does not report which samples are done; polling for each sample"
                );
                ledger.break_off();
                return;
            }
        }
    }
}

async fn poll(api: &Api, request: &RetrieveFutures, is_short: bool) -> Result<Answer, Error> {
    let call = repeatable::<RetrieveFutures>(Class::Retrieve);
    let call = if is_short {
        call.with_timeout(SHORT)
    } else {
        call
    };
    Ok(api.send(json_request(request, call)?).await?)
}

/// The outcome of one poll.
enum PollOutcome {
    Heard(Completions),
    Again,
    /// The server has been unreachable since this instant, which is too long.
    Lost(Instant),
    Broken(String),
}

fn judge(answer: Result<Answer, Error>, backoff: &mut PollBackoff) -> PollOutcome {
    let lost = |backoff: &mut PollBackoff| match backoff.lost() {
        Some(_) => PollOutcome::Again,
        None => PollOutcome::Lost(Instant::now() - backoff.lost_for()),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(Error::Transport(error)) if is_passing(&error) => return lost(backoff),
        Err(error) => return PollOutcome::Broken(error.to_string()),
    };
    if answer.status.is_success() {
        return match codec::from_json(RetrieveFutures::NAME, &answer.body) {
            Ok(completions) => PollOutcome::Heard(completions),
            Err(error) => PollOutcome::Broken(error.to_string()),
        };
    }
    match answer.status {
        _ if answer.outcome == Outcome::EdgeRejection => lost(backoff),
        // Only counted: the pause is the same after each failure.
        StatusCode::BAD_REQUEST if backoff.bad_request(Duration::MAX).is_some() => {
            PollOutcome::Again
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS => {
            PollOutcome::Again
        }
        status if status.is_server_error() => PollOutcome::Again,
        status => PollOutcome::Broken(format!("it answered {status}: {}", answer.detail())),
    }
}

fn is_passing(error: &TransportError) -> bool {
    !matches!(
        error.kind(),
        Kind::Config | Kind::Request | Kind::Credential | Kind::TooLarge
    )
}

#[cfg(test)]
mod tests;
