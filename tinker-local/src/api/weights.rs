//! Saving and loading weights.

use std::collections::BTreeMap;
use std::time::Duration;

use tinker_types::{
    CheckpointKind, CheckpointPath, InvalidValue, LoadTarget, LoadWeights, ModelId, RequestType,
    SamplerSaveKind, SamplingSessionId, SaveWeights, SaveWeightsForSampler, WeightsInfo,
    WeightsInfoRequest,
};

use super::answer::{self, Answer};
use super::body;
use super::call::Call;
use super::checkpoint::lifetime;
use super::model::{NewRun, check_base_model, register, settle_creation, submitted};
use super::refusal::Refusal;
use super::submit::submit;
use crate::audit::Entry;
use crate::convert;
use crate::state::{Failure, Sampler};
use crate::store::{NewCheckpoint, check_name};
use crate::work::{self, Lane};

pub(super) fn save(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: SaveWeights = body::json(&call.body)?;
    let kind = RequestType::SaveWeights;
    submit(call, kind, &request.model_id, request.seq_id, || {
        body::check_notes(&call.body, &call.shared.limits)?;
        let notes = request.user_metadata.clone().unwrap_or_default();
        let path = checkpoint_path(&request.model_id, CheckpointKind::Training, &request.path)?;
        let lifetime = lifetime(request.ttl_seconds)?;
        Ok(work::save(new_checkpoint(
            call,
            path,
            request.overwrite,
            lifetime,
            notes,
        )))
    })
}

pub(super) fn save_for_sampler(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: SaveWeightsForSampler = body::json(&call.body)?;
    let kind = RequestType::SaveWeightsForSampler;
    submit(call, kind, &request.model_id, request.seq_id, || {
        body::check_notes(&call.body, &call.shared.limits)?;
        match (&request.path, request.sampling_session_seq_id) {
            (Some(name), _) => {
                let notes = request.user_metadata.clone().unwrap_or_default();
                let path = checkpoint_path(&request.model_id, CheckpointKind::Sampler, name)?;
                let lifetime = lifetime(request.ttl_seconds)?;
                Ok(work::save(new_checkpoint(
                    call, path, false, lifetime, notes,
                )))
            }
            (None, Some(number)) => {
                let id = sampler_of(call, &request.model_id, number)?;
                Ok(work::sampler(id, request.kind == SamplerSaveKind::Inflight))
            }
            (None, None) => Err(Refusal::invalid(
                "path: give a name, or sampling_session_seq_id for a sampler without one",
            )),
        }
    })
}

/// The id of the sampler that an unnamed save makes.
fn sampler_of(call: &Call<'_>, model: &ModelId, number: u64) -> Result<SamplingSessionId, Refusal> {
    let mut registry = call.shared.registry();
    let session = registry
        .model_at_work(model)
        .map(|model| model.session.clone());
    let id = Sampler::id(&session.unwrap_or_else(|| "".into()), number);
    if registry.has_sampler(&id) {
        return Err(Refusal::invalid(format!(
            "sampling_session_seq_id: {number} is taken in this session; use a new number"
        )));
    }
    Ok(id)
}

pub(super) fn checkpoint_path(
    model: &ModelId,
    kind: CheckpointKind,
    name: &str,
) -> Result<CheckpointPath, Refusal> {
    check_name(name)?;
    Ok(CheckpointPath::try_new(model.clone(), kind, name)?)
}

pub(super) fn new_checkpoint(
    call: &Call<'_>,
    path: CheckpointPath,
    overwrite: bool,
    lifetime: Option<Duration>,
    user_metadata: BTreeMap<String, String>,
) -> NewCheckpoint {
    NewCheckpoint {
        path,
        base_model: call.shared.model.name.clone(),
        overwrite,
        lifetime,
        user_metadata,
    }
}

/// A path of a checkpoint that holds adapters.
pub(super) fn parse_path(field: &str, text: &str) -> Result<CheckpointPath, Refusal> {
    let path: CheckpointPath = text
        .parse()
        .map_err(|e: InvalidValue| Refusal::from(e.within(field)))?;
    if path.kind() == CheckpointKind::External {
        return Err(Refusal::invalid(format!(
            "{field}: {path} holds files for use elsewhere; give one saved for training or sampling"
        )));
    }
    Ok(path)
}

pub(super) async fn load(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: LoadWeights = body::json(&call.body)?;
    match &request.target {
        LoadTarget::Existing { model_id, seq_id } => {
            submit(call, RequestType::LoadWeights, model_id, *seq_id, || {
                let path = parse_path("path", &request.path)?;
                Ok(work::load(path, request.optimizer))
            })
        }
        LoadTarget::NewModel {
            session_id,
            model_seq_id,
        } => {
            body::check_notes(&call.body, &call.shared.limits)?;
            let id = ModelId::of_session(session_id, *model_seq_id);
            let path = parse_path("path", &request.path)?;
            if let Some(base_model) = &request.base_model {
                check_base_model(call, base_model)?;
            }
            if let Some(family) = &request.optimizer_config {
                convert::check_family(family)?;
            }
            super::session::touch(call.shared, session_id)?;
            let spec = loadable(call, &path).await?.adapter;
            let new = NewRun {
                kind: RequestType::LoadWeights,
                session: session_id,
                id: &id,
                spec: &spec,
                user_metadata: request.user_metadata.unwrap_or_default(),
            };
            if let Some((turn, fulfil)) = register(call, new)? {
                let entry = Entry::new("checkpoint_read").of_checkpoint(&path);
                call.shared.audit.note(entry.for_purpose("training"));
                let (worker, model) = (call.shared.worker.clone(), id.clone());
                call.shared
                    .archive
                    .run(move |store| match store.load(&path, request.optimizer) {
                        Ok((_, state)) => worker.run(Lane::Front, move |backend| {
                            let turn = turn;
                            let made =
                                work::import(backend, &state, &path, &model).map_err(Failure::from);
                            settle_creation(&turn, fulfil, made);
                        }),
                        Err(failed) => settle_creation(&turn, fulfil, Err(failed.into())),
                    });
            }
            Ok(submitted(&id))
        }
    }
}

/// The record of a checkpoint of the model that is served.
pub(super) async fn loadable(
    call: &Call<'_>,
    path: &CheckpointPath,
) -> Result<crate::store::Record, Refusal> {
    let (path, served) = (path.clone(), call.shared.model.name.clone());
    let record = call.shared.archive.ask(move |store| {
        let record = store.find(&path)?;
        record.check_base_model(&served)?;
        Ok(record.clone())
    });
    Ok(record.await?)
}

pub(super) async fn info(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: WeightsInfoRequest = body::json(&call.body)?;
    let path: CheckpointPath = request
        .tinker_path
        .parse()
        .map_err(|e: InvalidValue| e.within("tinker_path"))?;
    let record = call
        .shared
        .archive
        .ask(move |store| store.find(&path).cloned())
        .await?;
    let mut info = WeightsInfo::lora(
        &record.base_model,
        u32::try_from(record.adapter.rank).unwrap_or(u32::MAX),
    );
    info.train_attn = Some(record.adapter.attention);
    info.train_mlp = Some(record.adapter.mlp);
    info.train_unembed = Some(record.adapter.unembed);
    Ok(answer::json(&info))
}
