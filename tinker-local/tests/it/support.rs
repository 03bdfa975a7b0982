//! A minimal client, and engines for tests.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tinker_engine::ModelConfig;
use tinker_engine::backend::Backend;
use tinker_local::{CpuBackend, Limits, LocalEngine, LocalEngineBuilder, LocalService};
use tinker_types::proto::{CONTENT_TYPE as PROTOBUF, decode_output, decode_sample, encode_request};
use tinker_types::{Datum, ForwardBackward, ForwardBackwardOutput, Loss, SampleResponse};
use tower_service::Service;

pub(crate) const BASE: &str = "tinker-local/random";

/// A model small enough that a step takes a millisecond.
pub(crate) fn backend() -> Box<dyn Backend> {
    let mut config = ModelConfig::tiny();
    config.hidden_size = 32;
    config.intermediate_size = 48;
    config.num_hidden_layers = 2;
    config.num_attention_heads = 2;
    config.num_key_value_heads = 1;
    config.head_dim = 16;
    config.max_position_embeddings = 64;
    Box::new(CpuBackend::random(config, 3).unwrap().with_threads(2))
}

pub(crate) fn builder() -> LocalEngineBuilder {
    LocalEngine::builder().backend(backend())
}

pub(crate) fn client() -> Client {
    Client::of(&builder().build().unwrap())
}

pub(crate) fn limited(change: impl FnOnce(&mut Limits)) -> Client {
    let mut limits = Limits::default();
    change(&mut limits);
    Client::of(&builder().limits(limits).build().unwrap())
}

#[derive(Clone)]
pub(crate) struct Client {
    service: LocalService,
    key: Option<&'static str>,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.body))
    }

    #[track_caller]
    pub(crate) fn detail(&self) -> String {
        self.json()["detail"]
            .as_str()
            .expect("an error body has a detail")
            .to_owned()
    }

    /// The id of an accepted operation.
    #[track_caller]
    pub(crate) fn promise(&self) -> String {
        assert_eq!(self.status, 200, "{:?}", self.body);
        self.json()["request_id"].as_str().unwrap().to_owned()
    }
}

impl Client {
    pub(crate) fn of(engine: &LocalEngine) -> Self {
        Self {
            service: engine.service(),
            key: None,
        }
    }

    /// The same client with an API key.
    pub(crate) fn with_key(&self, key: &'static str) -> Self {
        Self {
            service: self.service(),
            key: Some(key),
        }
    }

    pub(crate) fn service(&self) -> LocalService {
        self.service.clone()
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://local/api/v1/{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(key) = self.key {
            request = request.header("x-api-key", key);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        self.call(request).await.unwrap()
    }

    /// Sends a request whose response may break off.
    pub(crate) async fn call(&self, request: Request<Full<Bytes>>) -> std::io::Result<Reply> {
        let Ok(answer) = self.service.clone().call(request).await;
        let (head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        assert!(
            head.status == StatusCode::OK || !body.is_empty(),
            "an error needs a body"
        );
        Ok(Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        })
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(
            Method::POST,
            path,
            &[("content-type", "application/json")],
            body.to_string(),
        )
        .await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], "").await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PUT, path, &[], body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, &[], "").await
    }

    /// Follows a link from a response.
    pub(crate) async fn follow(&self, link: &str) -> Reply {
        let request = Request::get(link).body(Full::new(Bytes::new())).unwrap();
        self.call(request).await.unwrap()
    }

    /// Fetches a result, in the form the official client takes.
    pub(crate) async fn fetch(&self, id: &str) -> Reply {
        loop {
            let body = json!({ "request_id": id, "allow_metadata_only": true }).to_string();
            let reply = self
                .send(
                    Method::POST,
                    "retrieve_future",
                    &[("accept", PROTOBUF)],
                    body,
                )
                .await;
            let is_json = reply.headers["content-type"] == "application/json";
            if !(is_json && reply.json()["type"] == "try_again") {
                return reply;
            }
        }
    }

    pub(crate) async fn session(&self) -> String {
        let reply = self.post(
            "create_session",
            json!({"sdk_version": "0", "tags": [], "user_metadata": {}, "type": "create_session"}),
        );
        reply.await.json()["session_id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// A session with a model, whose seed is fixed.
    pub(crate) async fn model(&self) -> (String, String) {
        let session = self.session().await;
        let body = json!({
            "session_id": session, "model_seq_id": 0, "base_model": BASE,
            "lora_config": {"rank": 4, "seed": 1, "train_unembed": true, "train_mlp": true, "train_attn": true},
            "optimizer_config": {"type": "adamw"}, "type": "create_model", "a_new_field": [1],
        });
        let promise = self.post("create_model", body).await.promise();
        let made = self.fetch(&promise).await.json();
        (
            session,
            made["model_id"]
                .as_str()
                .unwrap_or_else(|| panic!("{made}"))
                .to_owned(),
        )
    }

    pub(crate) async fn pass(&self, request: &ForwardBackward) -> Reply {
        let body = encode_request(request).unwrap();
        self.send(
            Method::POST,
            "forward_backward",
            &[("content-type", PROTOBUF)],
            body,
        )
        .await
    }

    pub(crate) async fn forward_backward(&self, model: &str, number: u64) -> String {
        self.pass(&request(model, number)).await.promise()
    }

    pub(crate) async fn step(&self, model: &str, number: u64) -> String {
        self.post("optim_step", step_body(model, number))
            .await
            .promise()
    }

    pub(crate) async fn output(&self, promise: &str) -> ForwardBackwardOutput {
        let reply = self.fetch(promise).await;
        assert_eq!(reply.headers["content-type"], PROTOBUF, "{:?}", reply.body);
        decode_output(reply.body).unwrap()
    }

    pub(crate) async fn done(&self, promise: &str) -> Value {
        let value = self.fetch(promise).await.json();
        assert!(value.get("error").is_none(), "{value}");
        value
    }

    /// The log probabilities of the test data under the current weights, as bytes, from operation `number`.
    pub(crate) async fn probe(&self, model: &str, number: u64) -> Bytes {
        let promise = self
            .pass(&request(model, number).with_forward_only(true))
            .await
            .promise();
        let reply = self.fetch(&promise).await;
        assert_eq!(reply.headers["content-type"], PROTOBUF, "{:?}", reply.body);
        reply.body
    }

    pub(crate) async fn sampler(&self, session: &str, number: u64, source: Value) -> String {
        let mut body = json!({"session_id": session, "sampling_session_seq_id": number, "type": "create_sampling_session"});
        body.as_object_mut()
            .unwrap()
            .extend(source.as_object().unwrap().clone());
        let reply = self.post("create_sampling_session", body).await;
        assert_eq!(reply.status, 200, "{:?}", reply.body);
        reply.json()["sampling_session_id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) async fn sampled(&self, promise: &str) -> SampleResponse {
        let reply = self.fetch(promise).await;
        assert_eq!(reply.headers["content-type"], PROTOBUF, "{:?}", reply.body);
        decode_sample(reply.body).unwrap()
    }
}

pub(crate) fn data() -> Vec<Datum> {
    vec![
        Datum::supervised(
            b"ab".map(u32::from).as_slice(),
            b"cd".map(u32::from).as_slice(),
        ),
        Datum::supervised(&[7, 8, 9], &[1]),
    ]
}

pub(crate) fn request(model: &str, number: u64) -> ForwardBackward {
    ForwardBackward::new(model.into(), number, data(), Loss::cross_entropy())
}

pub(crate) fn step_body(model: &str, number: u64) -> Value {
    json!({
        "model_id": model, "seq_id": number, "type": "optim_step",
        "adam_params": {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.95, "eps": 1e-12, "weight_decay": 0.0, "grad_clip_norm": 0.0},
    })
}

pub(crate) fn sample_body(sampler: &str, number: u64, max_tokens: u32) -> Value {
    json!({
        "num_samples": 1, "prompt": {"chunks": [{"tokens": [97, 98], "type": "encoded_text"}]},
        "sampling_params": {"max_tokens": max_tokens, "seed": 5, "stop": [], "temperature": 1.0, "top_k": -1, "top_p": 1.0},
        "sampling_session_id": sampler, "seq_id": number, "prompt_logprobs": false, "topk_prompt_logprobs": 0,
        "topk_sample_logprobs": 0, "prompt_alt_tokens_k": 0, "record_stability_info": false, "type": "sample",
    })
}

pub(crate) fn save_body(model: &str, number: u64, name: &str) -> Value {
    json!({"model_id": model, "path": name, "seq_id": number, "overwrite": false, "type": "save_weights"})
}
