//! Models in training.

use serde::Deserialize;
use tinker_types::{CreateModel, GetInfo, ModelData, ModelId, ModelInfo, Submitted};

use super::body;
use super::call::Call;
use super::response::{self, Response};
use crate::clock;
use crate::refusal::Refusal;

pub(super) fn create(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: CreateModel = body::json(&call.body)?;
    call.check_session(&request.session_id)?;
    call.check_notes()?;
    let (model, id) = call.operations.create_model(request, call.body.len())?;
    Ok(response::promised(id, &model))
}

pub(super) fn info(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: GetInfo = body::json(&call.body)?;
    call.check_model(&request.model_id)?;
    let mut registry = call.operations.registry();
    let model = registry
        .model(&request.model_id, clock::now())
        .map_err(|absent| Refusal::absent("model", request.model_id.as_str(), absent))?;
    let mut data = ModelData::default();
    let base = call.operations.info(model.base);
    data.arch = Some(base.arch.clone());
    data.model_name = Some(base.name.clone());
    data.tokenizer_id.clone_from(&base.tokenizer);
    let mut info = ModelInfo::new(request.model_id, data);
    info.is_lora = Some(true);
    info.lora_rank = u32::try_from(model.spec.rank).ok();
    Ok(response::json(&info))
}

/// Request of older clients that no longer need a model.
#[derive(Deserialize)]
struct UnloadModel {
    model_id: ModelId,
}

pub(super) fn unload(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: UnloadModel = body::json(&call.body)?;
    call.check_model(&request.model_id)?;
    let id = call.operations.unload_model(&request.model_id)?;
    Ok(response::json(&Submitted::new(id)))
}
