//! Samplers and samples.

use std::sync::Arc;

use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use tinker_types::wire::stream::{self, StreamEvent};
use tinker_types::{
    CreateSamplingSession, JoinSamplingSession, RequestId, SampleRequest, SamplerInfo,
    SamplingSessionCreated, SamplingSessionId, SamplingSessionJoined, SequenceId, Submitted,
};
use tokio::sync::mpsc;

use super::body;
use super::call::Call;
use super::response::{self, Response};
use crate::refusal::Refusal;
use crate::stream::{Events, SampleStream};
use crate::work::Operations;
use crate::{LocalBody, clock};

pub(super) async fn create_sampler(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: CreateSamplingSession = body::json(&call.body)?;
    call.check_session(&request.session_id)?;
    let id = call.operations.create_sampler(request).await?;
    Ok(response::json(&SamplingSessionCreated::new(id)))
}

/// Numbers a copy of a sampler in another process, so that the request numbers of the copies differ.
pub(super) fn join_sampler(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: JoinSamplingSession = body::json(&call.body)?;
    let id = request.sampling_session_id;
    call.check_sampler(&id)?;
    let joined = call.operations.registry().join(&id, clock::now());
    let number = joined.map_err(|absent| Refusal::absent("sampler", id.as_str(), absent))?;
    Ok(response::json(&SamplingSessionJoined::new(number)))
}

pub(super) fn sampler_info(call: &Call<'_>) -> Result<Response, Refusal> {
    let id = SamplingSessionId::from(call.parameter());
    call.check_sampler(&id)?;
    let sampler = call.operations.sampler(&id)?;
    let mut info = SamplerInfo::new(id, &call.operations.info(sampler.base).name);
    info.model_path = sampler.path.map(|path| path.to_string());
    Ok(response::json(&info))
}

pub(super) fn sample(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: SampleRequest = body::json(&call.body)?;
    call.check_sampler(&request.sampling_session_id)?;
    let (id, _) = call.operations.sample(&request, call.body.len(), None)?;
    let mut response = submitted(&id, &request);
    if call.json_only {
        response.sample_sequence_ids = None;
    }
    Ok(response::json(&response))
}

fn submitted(id: &RequestId, request: &SampleRequest) -> Submitted {
    let names = (0..request.num_samples).map(|n| SequenceId::of_request(id, n));
    let mut submitted = Submitted::new(id.clone());
    submitted.sample_sequence_ids = Some(names.collect());
    submitted
}

/// Draws a sample and streams its tokens.
pub(crate) fn watched(
    operations: &Arc<Operations>,
    request: &SampleRequest,
    bytes: usize,
) -> Result<SampleStream, Refusal> {
    let (sender, pieces) = mpsc::unbounded_channel();
    let (id, is_new) = operations.sample(request, bytes, Some(sender))?;
    if !is_new {
        return Err(Refusal::invalid(format!(
            "seq_id: {} was used before, and only a new sample can be watched; use a new number",
            request.seq_id
        )));
    }
    Ok(SampleStream::new(Arc::clone(operations), id, pieces))
}

/// Streams a sample as server-sent events. An addition of this engine: the service has no such endpoint.
pub(super) fn stream(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: SampleRequest = body::json(&call.body)?;
    call.check_sampler(&request.sampling_session_id)?;
    let stream = watched(call.operations, &request, call.body.len())?;
    let first = StreamEvent::Accepted(submitted(stream.request_id(), &request));
    let body = LocalBody::events(Events::new(stream, &first));
    let mut response = response::body(StatusCode::OK, stream::CONTENT_TYPE, body);
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}
