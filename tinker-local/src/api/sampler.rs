//! Samplers.

use tinker_types::{
    CreateSamplingSession, JoinSamplingSession, SamplerInfo, SamplingSessionCreated,
    SamplingSessionId, SamplingSessionJoined,
};

use super::answer::{self, Answer};
use super::body;
use super::call::Call;
use super::model::base;
use super::refusal::Refusal;
use super::session::touch;
use super::weights::{loadable, parse_path};
use crate::audit::Entry;
use crate::backend::SampleWeights;
use crate::backend::{BackendError, Fault};
use crate::clock;
use crate::state::{Sampler, Weights};

pub(super) async fn create(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: CreateSamplingSession = body::json(&call.body)?;
    touch(call.shared, &request.session_id)?;
    let id = Sampler::id(&request.session_id, request.sampling_session_seq_id);
    if call.shared.registry().has_sampler(&id) {
        return Ok(answer::json(&SamplingSessionCreated::new(id)));
    }
    let asked = request.base_model.as_deref();
    let asked = asked.map(|name| base(call, name)).transpose()?;
    let (base, weights, path) = match &request.model_path {
        Some(path) => {
            let path = parse_path("model_path", path)?;
            let (_, base) = loadable(call, &path, asked).await?;
            let from = path.clone();
            let (_, state) = call
                .shared
                .archive
                .ask(move |store| store.load(&from, false))
                .await?;
            let entry = Entry::new("checkpoint_read").of_checkpoint(&path);
            call.shared.audit.note(entry.for_purpose("sampling"));
            let thawed = call
                .shared
                .worker(base)
                .ask(move |backend| backend.thaw(&state))
                .await?;
            (
                base,
                SampleWeights::Frozen(thawed.map_err(|e| refused(&e))?),
                Some(path),
            )
        }
        None => match asked {
            Some(base) => (base, SampleWeights::Base, None),
            None => {
                return Err(Refusal::invalid(
                    "base_model: is missing; give it or model_path",
                ));
            }
        },
    };
    let sampler = Sampler {
        session: request.session_id.clone(),
        base,
        weights: Weights::Fixed(weights),
        path,
        copies: 0,
    };
    let mut registry = call.shared.registry();
    // The session may have ended while the checkpoint was read.
    registry
        .touch(&request.session_id, clock::now())
        .map_err(|absent| Refusal::absent("session", request.session_id.as_str(), absent))?;
    registry.add_sampler(id.clone(), sampler, call.shared.limits.samplers);
    drop(registry);
    call.shared.catalog().add_sampler(id.clone());
    Ok(answer::json(&SamplingSessionCreated::new(id)))
}

fn refused(error: &BackendError) -> Refusal {
    match error.fault() {
        Fault::User => Refusal::invalid(error.message()),
        Fault::Server => Refusal::new(http::StatusCode::INTERNAL_SERVER_ERROR, error.message()),
    }
}

/// Gives a copy of a sampler in another process its number, so that the two number their requests apart.
pub(super) fn join(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: JoinSamplingSession = body::json(&call.body)?;
    let id = request.sampling_session_id;
    let joined = call.shared.registry().join(&id, clock::now());
    let number = joined.map_err(|absent| Refusal::absent("sampler", id.as_str(), absent))?;
    Ok(answer::json(&SamplingSessionJoined::new(number)))
}

pub(super) fn info(call: &Call<'_>, id: String) -> Result<Answer, Refusal> {
    let id = SamplingSessionId::from(id);
    let sampler = call.shared.registry().sampler(&id, clock::now());
    let sampler = sampler.map_err(|absent| Refusal::absent("sampler", id.as_str(), absent))?;
    let mut info = SamplerInfo::new(id, &call.shared.info(sampler.base).name);
    info.model_path = sampler.path.map(|path| path.to_string());
    Ok(answer::json(&info))
}
