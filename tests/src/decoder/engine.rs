//! Decoders of the local server: arbitrary bodies at every endpoint.
//!
//! The server must answer without a server error, and must not change models that the request does not name.

use std::cell::RefCell;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tinker_engine::ModelConfig;
use tinker_local::{CpuBackend, Limits, LocalBody, LocalEngine, LocalService};
use tinker_types::proto::encode_request;
use tinker_types::{Datum, ForwardBackward, Loss};
use tokio::runtime::Runtime;
use tower::Service as _;

use super::training;

const BASE: &str = "tinker-local/random";

/// Placeholder for the id of the attacked session. It has the length of an id.
const SESSION: &[u8] = b"s-fuzzfuzzfuzz";

/// Number of inputs between two checks of the model that must not change.
const BETWEEN_LOOKS: u32 = 256;

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

/// Method, path, content type, content encoding.
type Door = (&'static str, &'static str, &'static str, &'static str);

const DOORS: [Door; 30] = [
    ("POST", "forward_backward", PROTOBUF, ""),
    ("POST", "forward_backward", JSON, ""),
    ("POST", "forward_backward", PROTOBUF, "zstd"),
    ("POST", "optim_step", JSON, ""),
    ("POST", "asample", JSON, ""),
    ("POST", "save_weights", JSON, ""),
    ("POST", "save_weights_for_sampler", JSON, ""),
    ("POST", "save_weights_external", JSON, ""),
    ("POST", "load_weights", JSON, ""),
    ("POST", "create_custom_loss", JSON, ""),
    ("POST", "create_model", JSON, ""),
    ("POST", "create_sampling_session", JSON, ""),
    ("POST", "join_sampling_session", JSON, ""),
    ("POST", "create_session", JSON, ""),
    ("POST", "session_heartbeat", JSON, ""),
    ("POST", "sessions/s-fuzzfuzzfuzz/finish", JSON, ""),
    ("PUT", "sessions/s-fuzzfuzzfuzz/project", JSON, ""),
    ("POST", "sessions/search", JSON, ""),
    ("POST", "unload_model", JSON, ""),
    ("POST", "get_info", JSON, ""),
    ("POST", "weights_info", JSON, ""),
    ("POST", "copy_weights", JSON, ""),
    ("POST", "retrieve_future", JSON, ""),
    ("POST", "retrieve_futures", JSON, ""),
    ("POST", "cancel_future", JSON, ""),
    ("POST", "stream_sample", JSON, ""),
    ("POST", "telemetry", JSON, ""),
    ("POST", "client/config", JSON, ""),
    (
        "PUT",
        "training_runs/s-fuzzfuzzfuzz:train:0/checkpoints/weights/a/ttl",
        JSON,
        "",
    ),
    ("POST", "auth/token", JSON, ""),
];

struct Lab {
    runtime: Runtime,
    service: LocalService,
    /// The attacked session, with model 0 and sampler 0.
    session: String,
    is_used: bool,
    /// The model that must not change, and its output.
    spared: String,
    said: Option<Bytes>,
    looks: u64,
    inputs: u32,
}

thread_local! {
    static LAB: RefCell<Option<Lab>> = const { RefCell::new(None) };
}

/// The first byte chooses the endpoint, the rest is the body.
pub(super) fn engine_request(bytes: &[u8]) {
    let Some((&choice, body)) = bytes.split_first() else {
        return;
    };
    LAB.with_borrow_mut(|lab| {
        let lab = lab.get_or_insert_with(Lab::new);
        lab.attack(DOORS[usize::from(choice) % DOORS.len()], body);
    });
}

impl Lab {
    fn new() -> Self {
        let mut config = ModelConfig::tiny();
        config.hidden_size = 16;
        config.intermediate_size = 16;
        config.num_hidden_layers = 1;
        config.num_attention_heads = 2;
        config.num_key_value_heads = 1;
        config.head_dim = 8;
        config.max_position_embeddings = 32;
        let backend = CpuBackend::random(config, 3)
            .expect("a small model")
            .with_threads(1);
        let mut limits = Limits::default();
        limits.body_bytes = 1 << 16;
        limits.long_poll = std::time::Duration::from_millis(20);
        let engine = LocalEngine::builder()
            .backend(Box::new(backend))
            .limits(limits)
            .build();
        let service = engine.expect("an engine in a temporary folder").service();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let mut lab = Self {
            runtime: runtime.expect("a runtime"),
            service,
            session: String::new(),
            is_used: true,
            spared: String::new(),
            said: None,
            looks: 0,
            inputs: 0,
        };
        let session = lab.open();
        lab.spared = format!("{session}:train:0");
        lab
    }

    fn attack(&mut self, (method, path, kind, encoding): Door, body: &[u8]) {
        if self.is_used {
            if !self.session.is_empty() {
                let end = format!("sessions/{}/finish", self.session);
                self.post(&end, &json!({ "reason": { "type": "success" } }));
            }
            self.session = self.open();
            self.is_used = false;
        }
        let own = self.session.clone();
        let path = path.replace("s-fuzzfuzzfuzz", &own);
        let body = replaced(body, SESSION, own.as_bytes());
        let (status, answer) = self.send(method, &path, kind, encoding, body);
        assert!(
            status < 500,
            "{path}: {status} {}",
            String::from_utf8_lossy(&answer)
        );
        if status == 200 && !path.starts_with("retrieve") && !path.starts_with("cancel") {
            self.is_used = true;
            self.fetch(&answer);
        }
        self.inputs += 1;
        if self.inputs.is_multiple_of(BETWEEN_LOOKS) {
            self.look();
        }
    }

    /// Waits for the promise in an answer, unless its operation waits for an earlier one that was never sent.
    fn fetch(&mut self, answer: &[u8]) {
        let Ok(answer) = serde_json::from_slice::<Value>(answer) else {
            return;
        };
        if !answer["request_id"].is_string() {
            return;
        }
        let ask = json!({ "request_id": answer["request_id"] });
        for _ in 0..2 {
            let (status, result) = self.post("retrieve_future", &ask);
            assert!(status == 200 || status == 410, "{status}");
            let text = String::from_utf8_lossy(&result);
            let result: Value = serde_json::from_slice(&result).unwrap_or_default();
            assert_ne!(result["category"], "server", "{text}");
            if result["type"] != "try_again" {
                return;
            }
        }
    }

    fn look(&mut self) {
        self.looks += 1;
        let data = vec![Datum::supervised(&[1, 2, 3], &[4, 5])];
        let request = ForwardBackward::new(
            self.spared.as_str().into(),
            self.looks,
            data,
            Loss::cross_entropy(),
        )
        .with_forward_only(true);
        let body = encode_request(&request).expect("a good request").to_vec();
        let (status, answer) = self.send("POST", "forward_backward", PROTOBUF, "", body);
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
        let id = serde_json::from_slice::<Value>(&answer).expect("JSON")["request_id"].clone();
        let (_, said) = self.post("retrieve_future", &json!({ "request_id": id }));
        let first = self.said.get_or_insert_with(|| said.clone());
        assert_eq!(*first, said, "the spared model has changed");
    }

    /// A session with a model and a sampler.
    fn open(&mut self) -> String {
        let (_, made) = self.post(
            "create_session",
            &json!({ "sdk_version": "0", "tags": [], "user_metadata": {} }),
        );
        let made: Value = serde_json::from_slice(&made).expect("JSON");
        let session = made["session_id"].as_str().expect("a session").to_owned();
        let model = json!({
            "session_id": session, "model_seq_id": 0, "base_model": BASE, "lora_config": { "rank": 2, "seed": 1 },
        });
        let (status, answer) = self.post("create_model", &model);
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
        self.fetch(&answer);
        let sampler =
            json!({ "session_id": session, "sampling_session_seq_id": 0, "base_model": BASE });
        assert_eq!(self.post("create_sampling_session", &sampler).0, 200);
        session
    }

    fn post(&mut self, path: &str, body: &Value) -> (u16, Bytes) {
        self.send("POST", path, JSON, "", body.to_string().into_bytes())
    }

    fn send(
        &mut self,
        method: &str,
        path: &str,
        kind: &str,
        encoding: &str,
        body: Vec<u8>,
    ) -> (u16, Bytes) {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://local/api/v1/{path}"))
            .header("content-type", kind);
        if !encoding.is_empty() {
            request = request.header("content-encoding", encoding);
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .expect("a good head");
        let service = &mut self.service;
        self.runtime.block_on(async {
            let Ok(answer): Result<Response<LocalBody>, _> = service.call(request).await;
            let status = answer.status().as_u16();
            let body = answer
                .into_body()
                .collect()
                .await
                .expect("nothing breaks off");
            (status, body.to_bytes())
        })
    }
}

fn replaced(body: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    let mut at = 0;
    while let Some(found) = body[at..]
        .windows(from.len())
        .position(|window| window == from)
    {
        at += found;
        body.splice(at..at + from.len(), to.iter().copied());
        at += to.len();
    }
    body
}

/// A valid request for each endpoint.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let session = String::from_utf8_lossy(SESSION);
    let model = format!("{session}:train:0");
    let sampler = format!("{session}:sample:0");
    let own = json!({ "model_id": model, "seq_id": 1 });
    let with = |more: Value| {
        let mut body = own.clone();
        let more = more.as_object().cloned().unwrap_or_default();
        body.as_object_mut().expect("an object").extend(more);
        body
    };
    let adam = json!({ "learning_rate": 0.01, "beta1": 0.9, "beta2": 0.95, "eps": 1e-12, "weight_decay": 0.1, "grad_clip_norm": 1.0 });
    let sample = json!({
        "num_samples": 2, "prompt": { "chunks": [{ "tokens": [97, 98], "type": "encoded_text" }] },
        "sampling_params": { "max_tokens": 4, "seed": 5, "stop": ["a"], "temperature": 1.0, "top_k": 5, "top_p": 0.9 },
        "sampling_session_id": sampler, "seq_id": 0, "prompt_logprobs": true, "topk_prompt_logprobs": 2,
        "topk_sample_logprobs": 1, "prompt_alt_tokens_k": 1,
    });
    let path = format!("tinker://{model}/weights/a");
    let bodies = [
        ("optim_step", with(json!({ "adam_params": adam }))),
        ("asample", sample.clone()),
        ("stream_sample", sample),
        (
            "save_weights",
            with(
                json!({ "path": "a", "overwrite": true, "ttl_seconds": 60, "user_metadata": { "a": "b" } }),
            ),
        ),
        (
            "save_weights_for_sampler",
            with(json!({ "sampling_session_seq_id": 1 })),
        ),
        ("save_weights_external", with(json!({ "path": "a" }))),
        (
            "load_weights",
            with(json!({ "path": path, "optimizer": true })),
        ),
        (
            "load_weights",
            json!({ "session_id": session, "model_seq_id": 1, "path": path, "optimizer": false }),
        ),
        (
            "create_model",
            json!({ "session_id": session, "model_seq_id": 1, "base_model": BASE, "lora_config": { "rank": 2 } }),
        ),
        (
            "create_sampling_session",
            json!({ "session_id": session, "sampling_session_seq_id": 1, "model_path": path }),
        ),
        (
            "join_sampling_session",
            json!({ "sampling_session_id": sampler }),
        ),
        (
            "retrieve_futures",
            json!({ "target": { "type": "sampling_session", "sampling_session_id": sampler, "cloned_sampler_id": 0 }, "prev_cursor": 0, "retrieved_request_ids": [], "timeout": 0.0 }),
        ),
        (
            "retrieve_future",
            json!({ "request_id": format!("{model}:0"), "allow_metadata_only": true }),
        ),
        (
            "copy_weights",
            json!({ "source_path": path, "destination_project_id": "p" }),
        ),
        ("get_info", json!({ "model_id": model })),
        ("weights_info", json!({ "tinker_path": path })),
        (
            "finish",
            json!({ "reason": { "type": "success" }, "detail": "x" }),
        ),
        ("project", json!({ "project_id": "p" })),
        ("search", json!({ "limit": 3, "query": "a" })),
        ("ttl", json!({ "ttl_seconds": 60 })),
    ];
    let door = |word: &str| DOORS.iter().position(|door| door.1.ends_with(word));
    let json_seeds = bodies.iter().filter_map(|(word, body)| {
        let choice = door(word)? as u8;
        Some([vec![choice], body.to_string().into_bytes()].concat())
    });
    let passes = training::trainings(&model).into_iter().flat_map(|body| {
        let packed = zstd::encode_all(&body[..], 3).expect("memory takes it");
        [[vec![0], body].concat(), [vec![2], packed].concat()]
    });
    json_seeds.chain(passes).collect()
}
