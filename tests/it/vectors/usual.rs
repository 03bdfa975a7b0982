//! Default answers to requests that recordings leave out: start-up, heartbeats, ordinary polls.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};
use tinker_types::proto;

use super::message::Message;
use super::outputs;
use super::promised::{self, Promised};
use super::vector::Vector;

const SESSION: &str = "sess-0001";
pub(crate) const MODEL: &str = "Qwen/Qwen3-8B";

/// A server with the default answers of the recording server.
#[derive(Debug)]
pub(crate) struct Usual {
    config: Value,
    dynamic: Value,
    promises: BTreeMap<String, Promised>,
    /// Promises that the recording polls without containing their submission.
    unannounced: Vec<(String, String)>,
    count: usize,
}

impl Usual {
    pub(crate) fn of(vector: &Vector) -> Self {
        let cancels = vector
            .exchanges
            .iter()
            .any(|exchange| exchange.request.route() == ["cancel_future"]);
        Self {
            config: vector.client_config.clone().unwrap_or_else(|| json!({})),
            dynamic: json!({"refresh_interval_sec": 300, "sample_cancel_enabled": cancels}),
            promises: BTreeMap::new(),
            unannounced: promised::unannounced(vector),
            count: 0,
        }
    }

    /// Records the promise of a recorded submission.
    pub(crate) fn promised(&mut self, route: &[&str], message: &Message, id: &str) {
        if let Some(promised) = Promised::of(route, message) {
            self.promises.insert(id.to_owned(), promised);
        }
    }

    /// Content type and body, if recordings leave this request out.
    pub(crate) fn answer(
        &mut self,
        method: &str,
        route: &[&str],
        message: &Message,
    ) -> Option<(&'static str, Bytes)> {
        if (method, route) == ("POST", &["retrieve_future"][..]) {
            return self.retrieve(message.text("request_id")?);
        }
        let body = match (method, route) {
            ("POST", ["client", "config"]) => self.config.clone(),
            ("POST", ["client", "dynamic_config"]) => self.dynamic.clone(),
            ("POST", ["create_session"]) => {
                json!({"type": "create_session", "session_id": SESSION})
            }
            ("POST", ["session_heartbeat"]) => json!({"type": "session_heartbeat"}),
            ("POST", ["create_sampling_session"]) => {
                let number = &message.json()?["sampling_session_seq_id"];
                json!({"sampling_session_id": format!("{SESSION}:sample:{number}")})
            }
            ("GET", ["samplers", id]) => json!({"sampler_id": id, "base_model": MODEL}),
            ("POST", ["get_info"]) => json!({
                "type": "get_info",
                "model_id": message.text("model_id")?,
                "is_lora": true,
                "lora_rank": 32,
                "model_name": MODEL,
                "model_data": {"arch": "qwen3", "model_name": MODEL, "tokenizer_id": MODEL},
            }),
            ("POST", route) => return self.submit(route, message),
            _ => return None,
        };
        Some(as_json(&body))
    }

    fn submit(&mut self, route: &[&str], message: &Message) -> Option<(&'static str, Bytes)> {
        let promised = Promised::of(route, message)?;
        let place = self
            .unannounced
            .iter()
            .position(|(kind, _)| *kind == promised.kind);
        let id = if let Some(place) = place {
            self.unannounced.remove(place).1
        } else {
            self.count += 1;
            format!("usual-{}", self.count)
        };
        let mut body = json!({"request_id": id});
        if promised.kind == "Sample" {
            body["sample_sequence_ids"] = outputs::sequence_ids(message.json()?);
        }
        self.promises.insert(id, promised);
        Some(as_json(&body))
    }

    fn retrieve(&self, id: &str) -> Option<(&'static str, Bytes)> {
        let promised = self.promises.get(id)?;
        let protobuf = |body| Some((proto::CONTENT_TYPE, body));
        match &promised.message {
            Message::Pass(pass) => protobuf(proto::encode_output(&outputs::pass(pass))),
            Message::Json(body) if promised.kind == "Sample" => {
                protobuf(proto::encode_sample(&outputs::sample(body)))
            }
            Message::Json(body) => Some(as_json(&result(&promised.kind, body)?)),
            Message::Nothing => None,
        }
    }
}

/// The result of an operation with a JSON result.
fn result(kind: &str, request: &Value) -> Option<Value> {
    let text = |key: &str| request[key].as_str();
    let model = || match text("model_id") {
        Some(id) => id.to_owned(),
        None => format!("{SESSION}:train:{}", request["model_seq_id"]),
    };
    Some(match kind {
        "CreateModel" => json!({"type": "create_model", "model_id": model()}),
        "LoadWeights" => json!({"type": "load_weights", "model_id": model()}),
        "OptimStep" => json!({"metrics": {"grad_norm:mean": 0.125}}),
        "SaveWeights" => json!({"path": format!("tinker://{}/weights/{}", model(), text("path")?)}),
        "SaveWeightsForSampler" => {
            if let Some(name) = text("path") {
                json!({"path": format!("tinker://{}/sampler_weights/{name}", model())})
            } else {
                let number = &request["sampling_session_seq_id"];
                json!({"sampling_session_id": format!("{SESSION}:sample:{number}")})
            }
        }
        _ => return None,
    })
}

fn as_json(body: &Value) -> (&'static str, Bytes) {
    ("application/json", body.to_string().into())
}
