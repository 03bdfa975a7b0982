//! Answers of a mock server without a rule.

use serde_json::{Value, json};
use tinker_types::{
    CancelFuture, CreateModel, CreateSamplingSession, CreateSession, Endpoint, ForwardBackward,
    GetClientConfig, GetDynamicConfig, GetHealth, GetInfo, GetServerCapabilities, LoadWeights,
    OptimStep, SampleRequest, SaveWeights, SaveWeightsForSampler, SessionHeartbeat, UnloadModel,
    wire::route,
};

/// Name of the base model.
const MODEL: &str = "mock";

/// The result of an operation: of its promise, or the answer itself.
#[derive(Debug)]
pub(super) enum Default {
    Answer(Value),
    Promise(Value),
    /// The route is not known.
    None,
}

/// The result of a request without a rule. `number` counts requests of the server.
pub(super) fn result(route: &str, body: &Value, number: usize) -> Default {
    let text = |key: &str| body[key].as_str().unwrap_or_default();
    let path = |kind: &str| {
        let name = body["path"].as_str().unwrap_or("unnamed");
        format!("tinker://{}/{kind}/{name}", text("model_id"))
    };
    let answer = match route {
        GetClientConfig::ROUTE
        | GetDynamicConfig::ROUTE
        | SessionHeartbeat::ROUTE
        | CancelFuture::ROUTE => json!({}),
        GetHealth::ROUTE => json!({"status": "ok"}),
        CreateSession::ROUTE => json!({"session_id": format!("session-{number}")}),
        GetServerCapabilities::ROUTE => json!({"supported_models": [{"model_name": MODEL}]}),
        CreateSamplingSession::ROUTE => {
            let number = &body["sampling_session_seq_id"];
            let id = format!("{}:sample:{number}", text("session_id"));
            json!({"sampling_session_id": id})
        }
        GetInfo::ROUTE => {
            let data = json!({"model_name": MODEL, "tokenizer_id": "tinker-local/bytes"});
            json!({"model_id": text("model_id"), "model_data": data})
        }
        CreateModel::ROUTE | LoadWeights::ROUTE => {
            let id = format!("{}:train:{}", text("session_id"), body["model_seq_id"]);
            return Default::Promise(json!({"model_id": id}));
        }
        ForwardBackward::ROUTE | route::FORWARD => return Default::Promise(pass(body)),
        OptimStep::ROUTE => return Default::Promise(json!({"metrics": {"grad_norm:mean": 0.0}})),
        SaveWeights::ROUTE => return Default::Promise(json!({"path": path("weights")})),
        SaveWeightsForSampler::ROUTE if body["path"].is_string() => {
            return Default::Promise(json!({"path": path("sampler_weights")}));
        }
        SaveWeightsForSampler::ROUTE => {
            let number = &body["sampling_session_seq_id"];
            let id = format!("{}:sample:{number}", text("model_id"));
            return Default::Promise(json!({"sampling_session_id": id}));
        }
        SampleRequest::ROUTE => return Default::Promise(sample(body)),
        UnloadModel::ROUTE => return Default::Promise(json!({})),
        _ if route.starts_with("sessions/") && route.ends_with("/finish") => json!({}),
        _ if route.starts_with("samplers/") => {
            let id = route.trim_start_matches("samplers/");
            json!({"sampler_id": id, "base_model": MODEL})
        }
        _ => return Default::None,
    };
    Default::Answer(answer)
}

/// Log probabilities of zero for each target, and no loss.
fn pass(body: &Value) -> Value {
    let input = ["forward_backward_input", "forward_input"]
        .into_iter()
        .find_map(|name| body.get(name))
        .unwrap_or(body);
    let data = input["data"].as_array().map_or(&[][..], Vec::as_slice);
    let output = |datum: &Value| {
        let targets = &datum["loss_fn_inputs"]["target_tokens"]["data"];
        let count = targets.as_array().map_or(0, Vec::len);
        json!({"logprobs": {"data": vec![0.0; count], "dtype": "float32", "shape": [count]}})
    };
    let outputs: Vec<Value> = data.iter().map(output).collect();
    json!({"loss_fn_output_type": "TensorData", "loss_fn_outputs": outputs, "metrics": {"loss:sum": 0.0}})
}

/// One token for each sequence.
fn sample(body: &Value) -> Value {
    let count = body["num_samples"].as_u64().unwrap_or(1);
    let sequence = json!({"stop_reason": "stop", "tokens": [0], "logprobs": [0.0]});
    let sequences: Vec<_> = (0..count).map(|_| sequence.clone()).collect();
    json!({"sequences": sequences, "type": "sample"})
}
