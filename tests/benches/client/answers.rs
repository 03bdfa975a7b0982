//! Prepared answers of a server.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tinker_types::{
    ForwardBackwardOutput, SampleResponse, SampledSequence, StopReason, TensorData, proto,
};

use crate::manner::Manner;

/// Tokens of a small answer, and sequences and tokens of a large one.
const SMALL: usize = 16;
const LARGE: (usize, usize) = (16, 8192);

/// Prepared answers, encoded once.
#[derive(Debug)]
pub(crate) struct Answers {
    small: Bytes,
    large: Bytes,
    output: Bytes,
}

impl Answers {
    pub(crate) fn new() -> Self {
        let metrics = BTreeMap::from([("loss:sum".to_owned(), 1.5)]);
        let mut output = ForwardBackwardOutput::default();
        output.metrics = metrics;
        "TensorMap".clone_into(&mut output.loss_fn_output_type);
        output.loss_fn_outputs = vec![BTreeMap::from([(
            "logprobs".to_owned(),
            TensorData::from(vec![-0.5_f32; 4]),
        )])];
        Self {
            small: proto::encode_sample(&response(1, SMALL)),
            large: proto::encode_sample(&response(LARGE.0, LARGE.1)),
            output: proto::encode_output(&output),
        }
    }

    /// The answer to a request. The number of sequences of a sample tells the small answer from the large one, and the
    /// first letter of a promise tells what was promised.
    pub(crate) fn to(&self, path: &str, body: &[u8]) -> Response<Full<Bytes>> {
        let (manner, name) = Manner::of(path).unwrap_or((Manner::Prompt, path));
        match name {
            "retrieve_future" => self.result(body),
            "asample" => {
                let is_small = contains(body, b"\"num_samples\":1,");
                if is_small {
                    sample("small", 1)
                } else {
                    sample("large", LARGE.0)
                }
            }
            "forward_backward" => promise("pass"),
            "optim_step" => promise("step"),
            "create_model" => promise("model"),
            "create_session" => message(&json!({"session_id": "s-1"})),
            "create_sampling_session" => message(&json!({"sampling_session_id": "s-1:sample:0"})),
            "get_info" => message(&json!({
                "model_id": "s-1:train:0", "is_lora": true, "lora_rank": 8,
                "model_data": {"model_name": "m", "arch": "unknown", "tokenizer_id": "m"},
            })),
            "telemetry" => message(&json!({"status": "accepted"})),
            "client/config" if manner == Manner::Compressed => {
                message(&json!({"proto_compress_fwdbwd": true}))
            }
            "client/config" | "session_heartbeat" => message(&json!({})),
            _ if name.ends_with("/finish") => message(&json!({})),
            _ => {
                let mut response = message(&json!({"detail": "no such route"}));
                *response.status_mut() = StatusCode::NOT_FOUND;
                response
            }
        }
    }

    /// The result of a large sample.
    pub(crate) fn large(&self) -> Bytes {
        self.large.clone()
    }

    /// Whether a poll asks for a promise of this name.
    pub(crate) fn asks_for(name: &str, body: &[u8]) -> bool {
        contains(body, format!("\"request_id\":\"{name}").as_bytes())
    }

    fn result(&self, body: &[u8]) -> Response<Full<Bytes>> {
        let is = |name: &str| Self::asks_for(name, body);
        if is("small") {
            binary(&self.small)
        } else if is("large") {
            binary(&self.large)
        } else if is("pass") {
            binary(&self.output)
        } else if is("model") {
            message(&json!({"model_id": "s-1:train:0", "type": "create_model"}))
        } else {
            message(&json!({"metrics": {}, "type": "optim_step"}))
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len())
        .take(1024)
        .any(|window| window == part)
}

fn response(sequences: usize, tokens: usize) -> SampleResponse {
    let tokens: Vec<u32> = (0..tokens).map(|at| (at % 50_000) as u32).collect();
    let mut sequence = SampledSequence::new(StopReason::Length, tokens.clone());
    sequence.logprobs = Some(tokens.iter().map(|&token| -(token as f32) / 1e5).collect());
    let mut response = SampleResponse::default();
    response.sequences = vec![sequence; sequences];
    response
}

fn promise(name: &str) -> Response<Full<Bytes>> {
    message(&json!({"request_id": format!("{name}-1")}))
}

/// The promise of a sample, with the ids of its sequences, which the official SDK requires.
fn sample(name: &str, sequences: usize) -> Response<Full<Bytes>> {
    let ids: Vec<String> = (0..sequences).map(|at| format!("s-1:{at}")).collect();
    message(&json!({"request_id": format!("{name}-1"), "sample_sequence_ids": ids}))
}

fn message(value: &Value) -> Response<Full<Bytes>> {
    content(value.to_string().into(), "application/json")
}

fn binary(body: &Bytes) -> Response<Full<Bytes>> {
    content(body.clone(), proto::CONTENT_TYPE)
}

fn content(body: Bytes, kind: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
