//! Sampling.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use tinker_types::{RequestId, RequestType, SampleRequest, SequenceId, Submitted};
use tokio::sync::mpsc;
use tracing::Span;

use super::answer::{self, Answer};
use super::body;
use super::call::Call;
use super::refusal::Refusal;
use crate::shared::Shared;
use crate::stream::{Events, SampleStream};
use crate::work::{Piece, Sampling, Watch};
use crate::{LocalBody, clock, convert};

pub(super) fn sample(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: SampleRequest = body::json(&call.body)?;
    let (id, _) = submit(call.shared, &request, call.body.len(), None)?;
    let mut answer = submitted(&id, &request);
    if call.json_only {
        answer.sample_sequence_ids = None;
    }
    Ok(answer::json(&answer))
}

fn submitted(id: &RequestId, request: &SampleRequest) -> Submitted {
    let names = (0..request.num_samples).map(|n| SequenceId::from(format!("{id}:{n}")));
    let mut submitted = Submitted::new(id.clone());
    submitted.sample_sequence_ids = Some(names.collect());
    submitted
}

/// Takes in a sample. Says what its promise is, and whether it is a new one.
fn submit(
    shared: &Arc<Shared>,
    request: &SampleRequest,
    weight: usize,
    watch: Option<mpsc::UnboundedSender<Piece>>,
) -> Result<(RequestId, bool), Refusal> {
    let sampler = &request.sampling_session_id;
    let found = shared.registry().sampler(sampler, clock::now());
    let found = found.map_err(|absent| Refusal::absent("sampler", sampler.as_str(), absent))?;
    // It follows from the sampler and the number, so that a repeated submission is the same promise.
    let id = RequestId::from(format!("{sampler}:{}", request.seq_id));
    let (job, report) = convert::sample_job(request, shared.info(found.base), &shared.limits)?;
    let accepted = shared
        .promises
        .accept(id.clone(), RequestType::Sample, weight, false)?;
    let is_new = accepted.is_some();
    if let Some(fulfil) = accepted {
        let sequences = job.num_samples;
        shared.worker(found.base).sample(Sampling {
            job,
            weights: found.weights,
            report,
            usage: Arc::clone(&shared.usage),
            session: found.session,
            fulfil,
            watch: watch.map(|pieces| Watch::new(pieces, sequences)),
            span: Span::current(),
        });
    }
    Ok((id, is_new))
}

/// A sample whose tokens are told while it is drawn.
pub(crate) fn watched(
    shared: &Arc<Shared>,
    request: &SampleRequest,
    weight: usize,
) -> Result<SampleStream, Refusal> {
    let (sender, pieces) = mpsc::unbounded_channel();
    let (id, is_new) = submit(shared, request, weight, Some(sender))?;
    if !is_new {
        return Err(Refusal::invalid(format!(
            "seq_id: {} was used before, and only a new sample can be watched; use a new number",
            request.seq_id
        )));
    }
    Ok(SampleStream::new(Arc::clone(shared), id, pieces))
}

/// The same over HTTP, as server-sent events. An addition of this engine: the service has nothing like it.
pub(super) fn stream(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: SampleRequest = body::json(&call.body)?;
    let stream = watched(call.shared, &request, call.body.len())?;
    let first = submitted(stream.request_id(), &request);
    let first = serde_json::to_string(&first).unwrap_or_default();
    let first = Bytes::from(format!("event: accepted\ndata: {first}\n\n"));
    let body = LocalBody::events(Events::new(stream, first));
    let mut answer = answer::body(StatusCode::OK, "text/event-stream", body);
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(answer)
}
