//! Requests behind methods of the training client.

use std::time::Duration;

use serde_json::Value;
use tinker_client::{DimuonParams, ExportOptions, LossFn, OptimParams};
use tinker_types::UnknownOptimizer;
use tinker_types::{
    ForwardBackward, LossValue, ModelId, OptimStep, SaveWeights, SaveWeightsExternal,
    SaveWeightsForSampler,
};

use super::derived::Derived;
use crate::vectors::call::{Call, Pass, Work, save_options};

pub(super) fn pass(request: &ForwardBackward, named: &str) -> Derived {
    let is_custom = named == "TrainingClient.forward_backward_custom";
    if is_custom && request.loss.name == LossFn::Custom {
        let Some(LossValue::Text(id)) = request.loss.config.get("loss_id") else {
            return Derived::NotYet("custom losses without an id");
        };
        let (loss, data) = (id.clone(), request.data.to_vec());
        return train(&request.model_id, Work::PassWith { loss, data });
    }
    if is_custom && !request.forward_only {
        // The second half of a call.
        return Derived::FollowUp;
    }
    let pass = Pass {
        forward_only: request.forward_only,
        loss: request.loss.clone(),
        parts: vec![(request.seq_id, request.data.to_vec())],
    };
    let work = if is_custom {
        let fails = false;
        Work::Custom { pass, fails }
    } else {
        Work::Pass(pass)
    };
    train(&request.model_id, work)
}

pub(super) fn optim_step(request: &OptimStep) -> Result<Derived, String> {
    let params = match (&request.adam_params, &request.optimizer_params) {
        (Some(adam), None) => OptimParams::Adam(*adam),
        (None, Some(open)) => family(open)?,
        _ => return Err("a step with constants of no family, or of two".to_owned()),
    };
    Ok(train(&request.model_id, Work::Optim(params)))
}

/// The constants of the optimizer, under its type name.
fn family(open: &UnknownOptimizer) -> Result<OptimParams, String> {
    if open.family != "dimuon" {
        return Ok(OptimParams::Other(open.clone()));
    }
    let fields = Value::Object(open.fields.clone().into_iter().collect());
    let params: DimuonParams = serde_json::from_value(fields).map_err(|error| error.to_string())?;
    Ok(params.into())
}

pub(super) fn save_weights(request: &SaveWeights) -> Derived {
    let notes = request.user_metadata.clone();
    let options =
        save_options(&request.path, request.ttl_seconds, notes).with_overwrite(request.overwrite);
    train(&request.model_id, Work::SaveState(options))
}

pub(super) fn save_weights_for_sampler(request: &SaveWeightsForSampler) -> Derived {
    let Some(name) = &request.path else {
        return train(&request.model_id, Work::SaveAndSample(request.kind));
    };
    let options = save_options(name, request.ttl_seconds, request.user_metadata.clone());
    train(&request.model_id, Work::SaveForSampler(options))
}

pub(super) fn save_weights_external(request: &SaveWeightsExternal) -> Derived {
    let mut options = ExportOptions::new(&request.path);
    options.ttl = request.ttl_seconds.map(Duration::from_secs);
    options.age_recipients = request
        .age_encryption_recipients
        .clone()
        .unwrap_or_default();
    train(&request.model_id, Work::SaveExternal(options))
}

fn train(model: &ModelId, work: Work) -> Derived {
    let model = model.to_string();
    Call::Train { model, work }.into()
}
