//! Polls of all samples of a sampler.

use std::time::Duration;

use tinker_types::{Completions, PollTarget, RetrieveFutures};

use super::body;
use super::call::Call;
use super::future::held_back;
use super::response::{self, Response};
use crate::clock;
use crate::refusal::Refusal;
use crate::state::Poller;

/// Returns the samples that finished after the cursor, as soon as there are any, or none after a time-out. Results that
/// the client has received are forgotten.
pub(super) async fn retrieve(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: RetrieveFutures = body::json(&call.body)?;
    let PollTarget::SamplingSession {
        sampling_session_id,
        cloned_sampler_id,
    } = request.target
    else {
        return Err(Refusal::invalid(
            "target.type: is not known; give sampling_session",
        ));
    };
    let poller = Poller {
        sampler: sampling_session_id,
        copy: cloned_sampler_id,
    };
    call.check_sampler(&poller.sampler)?;
    let promises = &call.operations.promises;
    let known = call
        .operations
        .registry()
        .sampler(&poller.sampler, clock::now());
    if let Err(absent) = known
        && !promises.has_ended(&poller)
    {
        return Err(Refusal::absent("sampler", poller.sampler.as_str(), absent));
    }
    let seen = u64::try_from(request.prev_cursor)
        .map_err(|_| Refusal::invalid("prev_cursor: is negative; give 0 at first"))?;
    let wait = match request.timeout {
        Some(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| {
            Refusal::invalid(format!("timeout: is {seconds}; give seconds from 0 on"))
        })?,
        None => call.operations.limits.long_poll,
    };
    promises.acknowledge(&poller, &request.retrieved_request_ids);
    let wait = wait.min(call.operations.limits.long_poll);
    if held_back(call.shared, wait).await.is_some() {
        let completions = Completions {
            completions: Vec::new(),
            cursor: request.prev_cursor,
        };
        return Ok(response::json(&completions));
    }
    let next = promises.next_ended(&poller, seen);
    let (completions, cursor) = tokio::time::timeout(wait, next)
        .await
        .unwrap_or_else(|_| promises.ended(&poller, seen));
    Ok(response::json(&Completions {
        completions,
        cursor: cursor.cast_signed(),
    }))
}
