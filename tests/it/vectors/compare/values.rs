//! Values of results.

use serde_json::{Value, json};
use tinker_types::{ClientConfig, DynamicConfig};

use super::console;
use crate::vectors::expected;
use crate::vectors::json::{self, Rule};
use crate::vectors::notation;
use crate::vectors::outcome::Outcome;
use crate::vectors::replay::Replay;
use crate::vectors::vector::Vector;
use crate::vectors::verdict::{Aspect, Mismatch};

/// The key of recorded results that does not come from the server's answer.
const BESIDE_THE_POINT: &str = "ok";

pub(super) fn compare(vector: &Vector, replay: &Replay, found: &mut Vec<Mismatch>) {
    if let Err(what) = try_compare(vector, replay) {
        found.push(Mismatch::new(Aspect::Outcome, what));
    }
}

fn try_compare(vector: &Vector, replay: &Replay) -> Result<(), String> {
    compare_counts(vector, replay)?;
    compare_losses(vector, replay)?;
    let Some(recorded) = &vector.result else {
        return Ok(());
    };
    compare_typed(vector, recorded, replay)?;
    console::compare(recorded, replay)?;
    match recorded {
        Value::Array(rows) if rows.iter().all(Value::is_array) => {
            let ours = replay
                .outcomes
                .iter()
                .filter_map(|(_, outcome)| match outcome {
                    Outcome::Logprobs(values) => Some(values.clone()),
                    _ => None,
                });
            same("logprobs", recorded, &ours.collect())
        }
        Value::String(_) => {
            let ours = replay
                .outcomes
                .iter()
                .find_map(|(_, outcome)| match outcome {
                    Outcome::Text(text) => Some(json!(text)),
                    _ => None,
                });
            same("text", recorded, &ours.unwrap_or_default())
        }
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, _)| *key != BESIDE_THE_POINT && !console::FIELDS.contains(&key.as_str()))
            .try_for_each(|(key, value)| compare_field(key, value, replay)),
        _ => Ok(()),
    }
}

/// The values of types that both clients have, in order.
fn compare_typed(vector: &Vector, recorded: &Value, replay: &Replay) -> Result<(), String> {
    let mut ours = ours(replay)?;
    ours.extend(flags(vector)?);
    let expected = expected::typed(recorded);
    let classes: std::collections::BTreeSet<&str> =
        expected.iter().map(|(class, _)| *class).collect();
    for class in classes {
        let expected: Value = of_class(&expected, class).map(untagged).collect();
        let pairs: Vec<(&str, &Value)> = ours.iter().map(|(class, v)| (*class, v)).collect();
        let ours: Value = of_class(&pairs, class).map(untagged).collect();
        same(class, &expected, &ours)?;
    }
    Ok(())
}

fn of_class<'a>(
    values: &'a [(&str, &'a Value)],
    class: &'a str,
) -> impl Iterator<Item = &'a Value> {
    let values = values.iter().filter(move |(other, _)| *other == class);
    values.map(|(_, value)| *value)
}

/// The value without the constant that names the type.
fn untagged(value: &Value) -> Value {
    let mut value = value.clone();
    if let Value::Object(fields) = &mut value {
        fields.remove("type");
    }
    value
}

fn ours(replay: &Replay) -> Result<Vec<(&'static str, Value)>, String> {
    let mut ours = Vec::new();
    for (_, outcome) in &replay.outcomes {
        match outcome {
            Outcome::Value { class, value } => ours.push((*class, value.clone())),
            Outcome::Model(model) => {
                ours.push(("GetInfoResponse", notation::info(model.info())?));
            }
            _ => {}
        }
    }
    Ok(ours)
}

/// The flags of the last recorded answer of each kind; a missing route has the defaults.
fn flags(vector: &Vector) -> Result<Vec<(&'static str, Value)>, String> {
    let mut flags = Vec::new();
    let answers = |route: [&str; 2]| {
        let mut exchanges = vector.exchanges.iter();
        exchanges.rfind(move |exchange| exchange.request.route() == route)
    };
    let body = |exchange: &super::super::exchange::Exchange| {
        let answer = exchange.response.as_ref().filter(|_| exchange.is_success());
        let body = answer.and_then(|answer| answer.body.json());
        body.cloned().unwrap_or_else(|| json!({}))
    };
    let error = |error: serde_json::Error| error.to_string();
    if let Some(exchange) = answers(["client", "config"]) {
        let flag: ClientConfig = serde_json::from_value(body(exchange)).map_err(error)?;
        flags.push(("ClientConfigResponse", json!(flag)));
    }
    if let Some(exchange) = answers(["client", "dynamic_config"]) {
        let flag: DynamicConfig = serde_json::from_value(body(exchange)).map_err(error)?;
        flags.push(("ClientDynamicConfigResponse", json!(flag)));
    }
    Ok(flags)
}

/// A plain field of a recorded result.
fn compare_field(key: &str, value: &Value, replay: &Replay) -> Result<(), String> {
    if !expected::typed(&json!({key: value})).is_empty() {
        return Ok(());
    }
    let mut samplers = replay
        .outcomes
        .iter()
        .filter_map(|(_, outcome)| match outcome {
            Outcome::Sampler(client) => Some(client),
            _ => None,
        });
    let models = replay
        .outcomes
        .iter()
        .filter_map(|(_, outcome)| match outcome {
            Outcome::Model(client) => Some(client),
            _ => None,
        });
    let ours = match key {
        "sampling_session_id" => json!(
            samplers
                .next_back()
                .map(|client| client.sampler_id().clone())
        ),
        "base_model" => json!(samplers.next_back().and_then(|client| client.base_model())),
        "sampling_sessions" => samplers.map(|client| json!(client.sampler_id())).collect(),
        "base_models" => samplers.map(|client| json!(client.base_model())).collect(),
        "model_ids" => models.map(|client| json!(client.model_id())).collect(),
        _ => return Err(format!("nothing here knows the result {key:?}")),
    };
    same(key, value, &ours)
}

/// Recordings of large batches contain only the number of outputs and the metrics.
fn compare_counts(vector: &Vector, replay: &Replay) -> Result<(), String> {
    let Some(count) = vector.extra.get("sdk_result_num_outputs") else {
        return Ok(());
    };
    let output = ours(replay)?;
    let output = output
        .iter()
        .find(|(class, _)| *class == "ForwardBackwardOutput")
        .map(|(_, value)| value)
        .ok_or("no output of a pass")?;
    let outputs = output["loss_fn_outputs"].as_array().map_or(0, Vec::len);
    same("number of outputs", count, &json!(outputs))?;
    match vector.extra.get("metrics") {
        Some(metrics) => same("metrics", metrics, &output["metrics"]),
        None => Ok(()),
    }
}

/// Handles of custom losses.
fn compare_losses(vector: &Vector, replay: &Replay) -> Result<(), String> {
    let Some(handles) = vector.extra.get("handles") else {
        return Ok(());
    };
    let ours = replay
        .outcomes
        .iter()
        .filter_map(|(_, outcome)| match outcome {
            Outcome::Loss(handle) => {
                let (name, id) = (handle.loss().name(), handle.loss_id());
                Some(json!({"name": name, "loss_id": id}))
            }
            _ => None,
        });
    same("handles", handles, &ours.collect())
}

fn same(what: &str, expected: &Value, ours: &Value) -> Result<(), String> {
    match json::difference(expected, ours, Rule::Values) {
        Some(difference) => Err(format!("{what}: {difference}")),
        None => Ok(()),
    }
}
