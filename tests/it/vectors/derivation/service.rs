//! Requests behind methods of the service client.

use serde_json::Value;
use tinker_client::{LoadOptions, LossGraph, SamplingSource, TrainingOptions};
use tinker_types::{
    CreateCustomLoss, CreateModel, CreateSamplingSession, FinishSession, LoadTarget, LoadWeights,
};

use super::derived::Derived;
use crate::vectors::call::Call;

pub(super) fn create_model(request: &CreateModel) -> Derived {
    let mut options = TrainingOptions::new(request.lora_config.clone());
    options.optimizer = request.optimizer_config.clone();
    options.user_metadata = request.user_metadata.clone().unwrap_or_default();
    let base = request.base_model.clone();
    Call::NewModel { base, options }.into()
}

pub(super) fn load_weights(request: &LoadWeights) -> Derived {
    if let LoadTarget::Existing { .. } = request.target {
        return Derived::NotYet("TrainingClient::load_state");
    }
    let mut options = LoadOptions::new(&request.path);
    options.base_model.clone_from(&request.base_model);
    options.optimizer.clone_from(&request.optimizer_config);
    options
        .access_token
        .clone_from(&request.weights_access_token);
    options.user_metadata = request.user_metadata.clone().unwrap_or_default();
    let with_optimizer = request.optimizer;
    Call::LoadModel {
        options,
        with_optimizer,
    }
    .into()
}

pub(super) fn create_sampling_session(request: CreateSamplingSession) -> Result<Derived, String> {
    let source = match (request.base_model, request.model_path) {
        (Some(model), _) => SamplingSource::BaseModel(model),
        (None, Some(path)) => SamplingSource::Checkpoint(path),
        (None, None) => return Err("a sampler of nothing".to_owned()),
    };
    Ok(Call::NewSampler(source).into())
}

pub(super) fn create_custom_loss(request: CreateCustomLoss) -> Derived {
    Call::NewLoss(LossGraph::from_graph(
        request.name,
        request.inputs,
        request.graph,
    ))
    .into()
}

pub(super) fn finish(request: Value) -> Result<Derived, String> {
    let request: FinishSession =
        serde_json::from_value(request).map_err(|error| error.to_string())?;
    let (reason, detail) = (request.reason, request.detail);
    Ok(Call::Close { reason, detail }.into())
}
