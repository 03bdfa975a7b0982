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
use super::model::{NewRun, base, info_of, register, settle_creation, submitted};
use super::refusal::Refusal;
use super::submit::submit;
use crate::audit::Entry;
use crate::convert;
use crate::served::BaseId;
use crate::state::{Failure, Sampler};
use crate::store::{NewCheckpoint, Record, check_name};
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
        )?))
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
                )?))
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
) -> Result<NewCheckpoint, Refusal> {
    let info = info_of(call, path.run())?;
    Ok(NewCheckpoint {
        path,
        base_model: info.name.clone(),
        base_folder: info.folder.clone(),
        overwrite,
        lifetime,
        user_metadata,
    })
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
        LoadTarget::NewModel { .. } if call.json_only => Err(Refusal::malformed(
            "model_id: is missing; this server loads a checkpoint into a model that is there, so make one with \
             create_model",
        )),
        LoadTarget::NewModel {
            session_id,
            model_seq_id,
        } => {
            body::check_notes(&call.body, &call.shared.limits)?;
            let id = ModelId::of_session(session_id, *model_seq_id);
            let path = parse_path("path", &request.path)?;
            let asked = request.base_model.as_deref();
            let asked = asked.map(|name| base(call, name)).transpose()?;
            if let Some(family) = &request.optimizer_config {
                convert::check_family(family)?;
            }
            super::session::touch(call.shared, session_id)?;
            let (record, base) = loadable(call, &path, asked).await?;
            let spec = record.adapter;
            let new = NewRun {
                kind: RequestType::LoadWeights,
                session: session_id,
                id: &id,
                base,
                spec: &spec,
                user_metadata: request.user_metadata.unwrap_or_default(),
            };
            if let Some((turn, fulfil)) = register(call, new)? {
                let entry = Entry::new("checkpoint_read").of_checkpoint(&path);
                call.shared.audit.note(entry.for_purpose("training"));
                let (worker, model) = (call.shared.worker(base).clone(), id.clone());
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

/// The record of a checkpoint of a model that is served: of the one that was asked for, if one was.
pub(super) async fn loadable(
    call: &Call<'_>,
    path: &CheckpointPath,
    asked: Option<BaseId>,
) -> Result<(Record, BaseId), Refusal> {
    let path = path.clone();
    let found = call
        .shared
        .archive
        .ask(move |store| store.find(&path).cloned());
    let record = found.await?;
    let base = asked.or_else(|| call.shared.base(&record.base_model));
    let served: Vec<&str> = match base {
        Some(base) => vec![&call.shared.info(base).name],
        None => call
            .shared
            .models()
            .map(|info| info.name.as_str())
            .collect(),
    };
    record.check_base_model(&served.join(", "))?;
    let base = base.ok_or_else(|| Refusal::invalid("base_model: is not served here"))?;
    Ok((record, base))
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
