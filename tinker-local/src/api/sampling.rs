//! Sampling.

use std::sync::Arc;

use tinker_types::{RequestId, RequestType, SampleRequest, SequenceId, Submitted};
use tracing::Span;

use super::answer::{self, Answer};
use super::body;
use super::dispatch::Call;
use super::refusal::Refusal;
use crate::work::Sampling;
use crate::{clock, convert};

pub(super) fn sample(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: SampleRequest = body::json(&call.body)?;
    let (shared, sampler) = (call.shared, &request.sampling_session_id);
    let found = shared.registry().sampler(sampler, clock::now());
    let found = found.map_err(|absent| Refusal::absent("sampler", sampler.as_str(), absent))?;
    // It follows from the sampler and the number, so that a repeated submission is the same promise.
    let id = RequestId::from(format!("{sampler}:{}", request.seq_id));
    let (job, report) = convert::sample_job(&request, &shared.model, &shared.limits)?;
    if let Some(fulfil) =
        shared
            .promises
            .accept(id.clone(), RequestType::Sample, call.body.len(), false)?
    {
        shared.worker.sample(Sampling {
            job,
            weights: found.weights,
            report,
            usage: Arc::clone(&shared.usage),
            session: found.session,
            fulfil,
            span: Span::current(),
        });
    }
    let names = (0..request.num_samples).map(|n| SequenceId::from(format!("{id}:{n}")));
    let mut submitted = Submitted::new(id.clone());
    if !call.json_only {
        submitted.sample_sequence_ids = Some(names.collect());
    }
    Ok(answer::json(&submitted))
}
