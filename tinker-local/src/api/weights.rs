//! Saving and loading weights.

use tinker_types::{
    CheckpointPath, GetWeightsInfo, InvalidValue, LoadTarget, LoadWeights, RequestType,
    SaveWeights, SaveWeightsExternal, SaveWeightsForSampler, WeightsInfo,
};

use super::body;
use super::call::Call;
use super::response::{self, Response};
use crate::refusal::Refusal;
use crate::store::Access;

pub(super) fn save(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: SaveWeights = call.numbered()?;
    let model = request.model_id.clone();
    let submission = call.submission(RequestType::SaveWeights, &model, request.seq_id)?;
    let id = call.operations.save_weights(submission, request)?;
    Ok(response::promised(id, &model))
}

pub(super) fn save_for_sampler(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: SaveWeightsForSampler = call.numbered()?;
    let model = request.model_id.clone();
    let kind = RequestType::SaveWeightsForSampler;
    let submission = call.submission(kind, &model, request.seq_id)?;
    let id = call
        .operations
        .save_weights_for_sampler(submission, request)?;
    Ok(response::promised(id, &model))
}

pub(super) fn save_external(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: SaveWeightsExternal = call.numbered()?;
    let model = &request.model_id;
    let submission = call.submission(RequestType::SaveWeightsExternal, model, request.seq_id)?;
    let id = call
        .operations
        .save_weights_external(submission, &request)?;
    Ok(response::promised(id, model))
}

pub(super) async fn load(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: LoadWeights = call.numbered()?;
    match &request.target {
        LoadTarget::Existing { model_id, .. } => call.check_model(model_id)?,
        LoadTarget::NewModel { session_id, .. } => call.check_session(session_id)?,
    }
    if let LoadTarget::NewModel { .. } = request.target {
        if call.json_only {
            return Err(Refusal::malformed(
                "model_id: is missing; this server loads a checkpoint into a model that is there, so make one with \
                 create_model",
            ));
        }
        call.check_notes()?;
    }
    let loading = call.operations.load_weights(request, call.body.len());
    let (model, id) = loading.await?;
    Ok(response::promised(id, &model))
}

pub(super) async fn info(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: GetWeightsInfo = body::json(&call.body)?;
    let path: CheckpointPath = request
        .tinker_path
        .parse()
        .map_err(|e: InvalidValue| e.within("tinker_path"))?;
    let found = call.ask_about(path, Access::Read, |store, path| store.find(path).cloned());
    let record = found.await?;
    let mut info = WeightsInfo::lora(
        &record.base_model,
        u32::try_from(record.adapter.rank).unwrap_or(u32::MAX),
    );
    info.train_attn = Some(record.adapter.attention);
    info.train_mlp = Some(record.adapter.mlp);
    info.train_unembed = Some(record.adapter.unembed);
    Ok(response::json(&info))
}
