//! The types of `tinker-types` against every recorded message, including those that no call of our API sends.

mod checkpoint_path;
mod endpoint;
mod listing;
mod promise;

use serde_json::Value;
use tinker_types::{
    AssignSessionProject, CancelFuture, CopyWeights, CreateCustomLoss, CreateModel,
    CreateSamplingSession, CreateSession, DeleteApiKey, ExchangeToken, ExportSessionTrace,
    FinishSession, GetApiKey, GetClientConfig, GetDynamicConfig, GetInfo, GetSampler,
    GetServerCapabilities, GetWeightsInfo, JoinSamplingSession, LoadWeights, OptimStep,
    RetrieveFutures, SampleRequest, SaveWeights, SaveWeightsExternal, SaveWeightsForSampler,
    SearchSessions, SendTelemetry, SessionHeartbeat,
};

use super::exchange::Exchange;
use super::expected;
use super::json::{self, Rule};
use super::message::Message;
use super::vector::Vector;
use super::verdict::{Aspect, Mismatch};
use endpoint::{Read, as_json, as_json_void, as_value, as_value_void};

/// Checks every exchange, and that the decoded answers equal the recorded results.
pub(crate) fn compare(vector: &Vector) -> Vec<Mismatch> {
    let mut found = Vec::new();
    // Answers that the official client cannot decode are not required to decode here.
    let reads_answers = matches!(
        expected::words(vector).as_str(),
        "ok" | "timed out" | "promise expired"
    );
    let mut answers = Vec::new();
    for exchange in &vector.exchanges {
        match check(exchange, reads_answers) {
            Ok(answer) => answers.extend(answer),
            Err(error) => {
                let what = format!(
                    "exchange {}, {}: {error}",
                    exchange.n, exchange.request.path
                );
                found.push(Mismatch::new(Aspect::Types, what));
            }
        }
    }
    if let Some(what) = checkpoint_path::compare(vector) {
        found.push(Mismatch::new(Aspect::Types, what));
    }
    if vector.area() == "rest" {
        found.extend(result_differs(vector, &answers));
    }
    found
}

/// Checks that the official client's result equals an answer, defaults included.
fn result_differs(vector: &Vector, answers: &[Value]) -> Option<Mismatch> {
    let (class, value) = expected::typed(vector.result.as_ref()?)
        .into_iter()
        .next()?;
    if class == "HealthResponse" {
        return None;
    }
    let answer = answers.last()?;
    let difference = json::difference(value, answer, Rule::Reencoded)?;
    Some(Mismatch::new(
        Aspect::Types,
        format!("{class}: {difference}"),
    ))
}

fn check(exchange: &Exchange, reads_answers: bool) -> Read {
    let asked = &exchange.request;
    let message = Message::recorded(asked)?;
    let route = asked.route();
    let exchange = &endpoint::Case {
        exchange,
        message: &message,
        reads_answer: reads_answers,
    };
    match (asked.method.as_str(), &route[..]) {
        ("POST", ["client", "config"]) => as_json::<GetClientConfig>(exchange),
        ("POST", ["client", "dynamic_config"]) => as_json::<GetDynamicConfig>(exchange),
        ("POST", ["auth", "token"]) => as_json::<ExchangeToken>(exchange),
        ("GET", ["auth", "apikey", "me"]) => as_value(exchange, &GetApiKey {}),
        ("DELETE", ["auth", "apikey", "me"]) => as_value_void(exchange, &DeleteApiKey {}),
        ("POST", ["create_session"]) => as_json::<CreateSession>(exchange),
        ("POST", ["session_heartbeat"]) => as_json_void::<SessionHeartbeat>(exchange),
        ("POST", ["sessions", id, "finish"]) => {
            let mut request: FinishSession = endpoint::read(&message)?;
            request.session_id = Some((*id).into());
            as_value_void(exchange, &request)
        }
        ("POST", ["sessions", "search"]) => as_json::<SearchSessions>(exchange),
        ("PUT", ["sessions", id, "project"]) => {
            let request = AssignSessionProject {
                session_id: (*id).into(),
                project_id: message.text("project_id").unwrap_or_default().to_owned(),
            };
            as_value_void(exchange, &request)
        }
        ("GET", ["sessions", id, "trace_export"]) => {
            let session_id = (*id).into();
            as_value(exchange, &ExportSessionTrace { session_id })
        }
        ("GET", ["get_server_capabilities"]) => as_value(exchange, &GetServerCapabilities {}),
        ("POST", ["create_sampling_session"]) => as_json::<CreateSamplingSession>(exchange),
        ("POST", ["join_sampling_session"]) => as_json::<JoinSamplingSession>(exchange),
        ("GET", ["samplers", id]) => as_value(exchange, &GetSampler::new((*id).into())),

        ("POST", ["create_model"]) => as_json::<CreateModel>(exchange),
        ("POST", ["get_info"]) => as_json::<GetInfo>(exchange),
        ("POST", ["load_weights"]) => as_json::<LoadWeights>(exchange),
        ("POST", ["forward_backward"]) => promise::pass(exchange),
        ("POST", ["optim_step"]) => as_json::<OptimStep>(exchange),
        ("POST", ["save_weights"]) => as_json::<SaveWeights>(exchange),
        ("POST", ["save_weights_for_sampler"]) => as_json::<SaveWeightsForSampler>(exchange),
        ("POST", ["save_weights_external"]) => as_json::<SaveWeightsExternal>(exchange),
        ("POST", ["create_custom_loss"]) => as_json::<CreateCustomLoss>(exchange),
        ("POST", ["asample"]) => as_json::<SampleRequest>(exchange),
        ("POST", ["retrieve_future"]) => promise::retrieve(exchange),
        ("POST", ["retrieve_futures"]) => as_json::<RetrieveFutures>(exchange),
        ("POST", ["cancel_future"]) => as_json_void::<CancelFuture>(exchange),

        ("POST", ["copy_weights"]) => as_json::<CopyWeights>(exchange),
        ("POST", ["weights_info"]) => as_json::<GetWeightsInfo>(exchange),
        ("POST", ["telemetry"]) => as_json::<SendTelemetry>(exchange),
        (
            _,
            [
                "training_runs" | "checkpoints" | "sessions" | "audit" | "billing",
                ..,
            ],
        ) => listing::check(exchange, &route),
        // Not part of the API, or a route that no client calls.
        _ => Ok(None),
    }
}
