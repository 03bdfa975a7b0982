//! A message that may be repeated, and its answer.

use http::StatusCode;
use tinker_transport::policy::{Effort, Policy, Standard, Verdict};
use tinker_transport::{Call, Class, Disposition, Outcome, Replay};
use tinker_types::Endpoint;

use crate::core::Core;
use crate::error::Error;

/// Sends a message that may be repeated and reads its answer, for a public method.
pub(crate) async fn ask<E: Endpoint>(
    core: &Core,
    method: &'static str,
    request: E,
) -> Result<E::Response, Error> {
    let link = core.link().await?;
    let answer = link.api.call(&request, call::<E>(method));
    core.news().outcome(Box::pin(answer).await)
}

/// Sends a message that sets a state and is all in its path. `already` is the status that says
/// that the state was so before. It is final, whatever the usual policy says of it; but behind
/// a failed attempt of our own it means that the attempt arrived.
pub(crate) async fn set<E: Endpoint>(
    core: &Core,
    method: &'static str,
    request: E,
    already: StatusCode,
) -> Result<(), Error> {
    let link = core.link().await?;
    let call = call::<E>(method).with_policy(ConflictIsFinal(Standard::new()));
    match Box::pin(link.api.call_bare(&request, call)).await {
        Err(Error::Status(error)) if error.status() == already && error.attempts() > 1 => Ok(()),
        result => core.news().outcome(result),
    }
}

/// The call of a message that may be repeated.
pub(crate) fn call<E: Endpoint>(method: &'static str) -> Call {
    Call::new(E::NAME, Class::Rest)
        .with_caller(method)
        .with_replay(Replay::Safe)
}

/// A 409 on a state to be set says that it is set. Waiting changes nothing about that.
#[derive(Debug)]
struct ConflictIsFinal(Standard);

impl Policy for ConflictIsFinal {
    fn verdict(&self, effort: &Effort, disposition: &Disposition) -> Verdict {
        if disposition.outcome == Outcome::Transient(StatusCode::CONFLICT) {
            return Verdict::Stop;
        }
        self.0.verdict(effort, disposition)
    }

    fn remaining_time(&self, effort: &Effort) -> Option<std::time::Duration> {
        self.0.remaining_time(effort)
    }
}
