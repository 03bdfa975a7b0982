//! One long poll for all the samples of a sampler, for servers that want it so.

mod ledger;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use http::StatusCode;
use tinker_transport::{Call, Class, Kind, Outcome, Replay, TransportError};
use tinker_types::{Completions, Endpoint, PollTarget, RequestId, RetrieveFutures};
use tokio::time::Instant;

use crate::api::{Answer, Api, json_request};
use crate::codec;
use crate::error::Error;
use crate::patience::Patience;
use crate::promise::Hint;
use ledger::{Ledger, Next};

/// Waits this long after trouble.
const REST: Duration = Duration::from_secs(1);
/// Time for a poll that only says what was fetched.
const SHORT: Duration = Duration::from_secs(5);

/// Learns which samples are done, and tells those who wait for them. Its task ends when this is
/// dropped.
///
/// A server that cannot do it after all is told apart from one in trouble: then each sample is asked
/// for on its own, as without this.
#[derive(Debug)]
pub(crate) struct Poller {
    ledger: Arc<Ledger>,
}

impl Poller {
    /// Starts the task; `unreachable_after` is how long a lost server is waited for.
    pub(crate) fn start(api: Api, target: PollTarget, unreachable_after: Duration) -> Self {
        let ledger = Arc::new(Ledger::new(target));
        tokio::spawn(run(Arc::clone(&ledger), api, unreachable_after));
        Self { ledger }
    }

    /// A place for a sample that is about to be submitted: its completion may be heard of before its
    /// name is known.
    pub(crate) fn place(&self) -> Place {
        self.ledger.begin();
        Place {
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

/// One sample's place. Dropped, it is given up.
#[derive(Debug)]
pub(crate) struct Place {
    ledger: Arc<Ledger>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Submitting,
    Accepted(RequestId),
}

impl Place {
    /// Waits until the result can be fetched.
    pub(crate) async fn hint(&mut self, id: &RequestId) -> Hint {
        let hint = self.ledger.wait_for(id);
        self.phase = Phase::Accepted(id.clone());
        // The sender is dropped without a word only when the runtime shuts down.
        hint.await.unwrap_or(Hint::None)
    }

    /// The result, or its error, was fetched: the server may forget it.
    pub(crate) fn fetched(self) {
        if let Phase::Accepted(id) = &self.phase {
            self.ledger.fetched(id.clone());
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        match &self.phase {
            Phase::Submitting => self.ledger.end_submission(),
            Phase::Accepted(id) => self.ledger.give_up(id),
        }
    }
}

async fn run(ledger: Arc<Ledger>, api: Api, unreachable_after: Duration) {
    let mut patience = Patience::new(unreachable_after);
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
                // The last word is worth one try.
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
        match judge(answer, &mut patience) {
            Turn::Heard(completions) => {
                patience.forgive();
                let is_idle = completions.completions.is_empty();
                let rest = patience.not_yet(asked.elapsed());
                ledger.hear(&request, completions, is_short);
                if is_idle && !is_short {
                    tokio::time::sleep(rest).await;
                }
            }
            Turn::Again => tokio::time::sleep(REST).await,
            Turn::Lost(since) => {
                ledger.release(Hint::Lost(since));
                patience = Patience::new(unreachable_after);
                tokio::time::sleep(REST).await;
            }
            Turn::Broken(why) => {
                tracing::warn!(
                    why,
                    "the server does not say which samples are done; each is asked for on its own"
                );
                ledger.break_off();
                return;
            }
        }
    }
}

async fn poll(api: &Api, request: &RetrieveFutures, is_short: bool) -> Result<Answer, Error> {
    let call = Call::new(RetrieveFutures::NAME, Class::Retrieve).with_replay(Replay::Safe);
    let call = if is_short {
        call.with_timeout(SHORT)
    } else {
        call
    };
    Ok(api.send(json_request(request, call)?).await?)
}

enum Turn {
    Heard(Completions),
    Again,
    /// The server has been out of reach since then, which is too long.
    Lost(Instant),
    Broken(String),
}

fn judge(answer: Result<Answer, Error>, patience: &mut Patience) -> Turn {
    let lost = |patience: &mut Patience| match patience.lost() {
        Some(_) => Turn::Again,
        None => Turn::Lost(Instant::now() - patience.lost_for()),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(Error::Transport(error)) if is_passing(&error) => return lost(patience),
        Err(error) => return Turn::Broken(error.to_string()),
    };
    if answer.status.is_success() {
        return match codec::from_json(RetrieveFutures::NAME, &answer.body) {
            Ok(completions) => Turn::Heard(completions),
            Err(error) => Turn::Broken(error.to_string()),
        };
    }
    match answer.status {
        _ if answer.outcome == Outcome::EdgeRejection => lost(patience),
        StatusCode::BAD_REQUEST if patience.bad_request(REST).is_some() => Turn::Again,
        StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS => {
            Turn::Again
        }
        status if status.is_server_error() => Turn::Again,
        status => Turn::Broken(format!("it answers {status}: {}", answer.words())),
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
