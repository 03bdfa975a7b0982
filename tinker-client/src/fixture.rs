//! A scripted server inside the test's process.

mod log;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tinker_transport::{Body, Kind, Observers, Stage, Transport, TransportError};
use tinker_types::{
    Datum, ForwardBackward, ForwardBackwardOutput, LoraConfig, SampleResponse, SampledSequence,
    StopReason, proto,
};
use tokio::time::Instant;

use crate::observe::{observer::ClientObservers, sink::EventSink};
use crate::operation::group::Group;
use crate::{Config, SamplingClient, ServiceClient, ServiceClientBuilder, TrainingClient};

pub(crate) use log::traced;

/// Answers every route as a healthy server would, unless a rule says otherwise.
#[derive(Clone)]
pub(crate) struct FakeServer(Arc<Inner>);

struct Inner {
    start: Instant,
    seen: Mutex<Vec<Seen>>,
    rules: Mutex<Vec<(&'static str, Rule)>>,
    /// Data of each accepted pass, for its result.
    passes: Mutex<HashMap<String, usize>>,
}

type Rule = Box<dyn FnMut(&Seen) -> Option<Reply> + Send>;

/// A request the server saw.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) at: Duration,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn text(&self, key: &str) -> String {
        self.json()[key].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// The reply of the server to a request.
pub(crate) struct Reply {
    after: Duration,
    result: Result<Response<Body>, TransportError>,
}

impl Reply {
    pub(crate) fn json(value: Value) -> Self {
        Self::status(200, value)
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "calls read better with a bare json!"
    )]
    pub(crate) fn status(status: u16, value: Value) -> Self {
        Self::raw(status, "application/json", value.to_string())
    }

    pub(crate) fn protobuf(body: Bytes) -> Self {
        Self::raw(200, proto::CONTENT_TYPE, body)
    }

    pub(crate) fn raw(status: u16, content_type: &str, body: impl Into<Body>) -> Self {
        let response = Response::builder()
            .status(StatusCode::from_u16(status).unwrap())
            .header("content-type", content_type)
            .body(body.into())
            .unwrap();
        Self {
            after: Duration::ZERO,
            result: Ok(response),
        }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        if let Ok(response) = &mut self.result {
            let value = http::HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        self
    }

    pub(crate) fn try_again() -> Self {
        Self::json(json!({"type": "try_again"}))
    }

    /// The connection breaks.
    pub(crate) fn lost() -> Self {
        Self {
            after: Duration::ZERO,
            result: Err(TransportError::new(
                Kind::Interrupted,
                Stage::MaybeReceived,
                "the connection broke",
            )),
        }
    }

    /// No connection can be opened.
    pub(crate) fn unreachable() -> Self {
        Self {
            after: Duration::ZERO,
            result: Err(TransportError::new(
                Kind::Connect,
                Stage::NotSent,
                "cannot connect",
            )),
        }
    }

    /// No answer within any time limit.
    pub(crate) fn never() -> Self {
        Self::json(Value::Null).after(Duration::from_secs(1 << 30))
    }

    pub(crate) fn after(mut self, wait: Duration) -> Self {
        self.after = wait;
        self
    }
}

impl FakeServer {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            start: Instant::now(),
            seen: Mutex::default(),
            rules: Mutex::default(),
            passes: Mutex::default(),
        }))
    }

    /// Answers requests of a path by a rule; a `None` leaves it to older rules and the default.
    pub(crate) fn on(
        &self,
        path: &'static str,
        rule: impl FnMut(&Seen) -> Option<Reply> + Send + 'static,
    ) -> &Self {
        self.0.rules.lock().unwrap().push((path, Box::new(rule)));
        self
    }

    /// Answers the next requests of a path like this, in order.
    pub(crate) fn then(&self, path: &'static str, replies: Vec<Reply>) -> &Self {
        let mut replies = replies.into_iter();
        self.on(path, move |_| replies.next())
    }

    /// Always answers requests of a path with this status.
    pub(crate) fn always(&self, path: &'static str, status: u16, body: Value) -> &Self {
        self.on(path, move |_| Some(Reply::status(status, body.clone())))
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.0.seen.lock().unwrap().clone()
    }

    /// Requests of one path.
    pub(crate) fn seen_at(&self, path: &str) -> Vec<Seen> {
        self.seen()
            .into_iter()
            .filter(|seen| seen.path == path)
            .collect()
    }

    /// Paths in order, without polls, heartbeats and flags.
    pub(crate) fn paths(&self) -> Vec<String> {
        let quiet = [
            "retrieve_future",
            "session_heartbeat",
            "client/dynamic_config",
            "telemetry",
        ];
        self.seen()
            .into_iter()
            .map(|seen| seen.path)
            .filter(|path| !quiet.contains(&path.as_str()))
            .collect()
    }

    /// Seconds at which requests of one path came, counted from the first.
    pub(crate) fn seconds(&self, path: &str) -> Vec<f64> {
        let seen = self.seen_at(path);
        let first = seen.first().map_or(Duration::ZERO, |seen| seen.at);
        seen.iter()
            .map(|seen| seen.at.saturating_sub(first).as_millis() as f64 / 1000.0)
            .collect()
    }

    pub(crate) fn builder(&self) -> ServiceClientBuilder {
        let config = Config::new("http://fake").with_telemetry(false);
        ServiceClient::builder()
            .config(config)
            .leaf(self.transport())
    }

    /// The server and nothing else: no retries, no limits.
    pub(crate) fn transport(&self) -> Transport {
        let server = self.clone();
        Transport::new(tower::service_fn(move |request| {
            let server = server.clone();
            async move { server.answer(request).await }
        }))
    }

    pub(crate) fn service(&self) -> ServiceClient {
        self.builder().build().unwrap()
    }

    pub(crate) async fn training(&self) -> TrainingClient {
        let service = self.service();
        service
            .create_lora_training_client("base", LoraConfig::new(4))
            .await
            .unwrap()
    }

    pub(crate) async fn sampling(&self) -> SamplingClient {
        self.service().create_sampling_client("base").await.unwrap()
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, TransportError> {
        let (head, body) = request.into_parts();
        let path = head.uri.path().strip_prefix("/api/v1/").unwrap().to_owned();
        let seen = Seen {
            at: self.0.start.elapsed(),
            method: head.method,
            path,
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers,
            body: body.collect(u64::MAX).await?,
        };
        self.0.seen.lock().unwrap().push(seen.clone());
        let ruled = {
            let mut rules = self.0.rules.lock().unwrap();
            let mut fitting = rules
                .iter_mut()
                .rev()
                .filter(|(path, _)| seen.path == *path);
            fitting.find_map(|(_, rule)| rule(&seen))
        };
        let reply = ruled.unwrap_or_else(|| self.healthy(&seen));
        tokio::time::sleep(reply.after).await;
        reply.result
    }

    fn healthy(&self, seen: &Seen) -> Reply {
        let seq_id = seen.json()["seq_id"].as_u64().unwrap_or_default();
        Reply::json(match seen.path.as_str() {
            "client/config"
            | "client/dynamic_config"
            | "session_heartbeat"
            | "cancel_future"
            | "sessions/s/finish" => json!({}),
            "create_session" => json!({"session_id": "s"}),
            "get_server_capabilities" => json!({"supported_models": [{"model_name": "base"}]}),
            "create_model" | "load_weights" => {
                let number = seen.json()["model_seq_id"].clone();
                json!({"request_id": format!("model-{number}")})
            }
            "get_info" => {
                let names = json!({"model_name": "base", "tokenizer_id": "tinker-local/bytes"});
                json!({"model_id": seen.text("model_id"), "model_data": names})
            }
            "forward_backward" | "forward" => return self.accept_pass(seen),
            "unload_model" => json!({"request_id": "unloaded"}),
            "optim_step" => json!({"request_id": format!("step-{seq_id}")}),
            "save_weights_external" => {
                json!({"request_id": format!("export-{}", seen.text("path"))})
            }
            "save_weights" => json!({"request_id": format!("save-{}", seen.text("path"))}),
            "save_weights_for_sampler" => {
                let what = match seen.json()["path"].as_str() {
                    Some(name) => format!("named-{name}"),
                    None => format!("ephemeral-{}", seen.json()["sampling_session_seq_id"]),
                };
                json!({"request_id": what})
            }
            "create_sampling_session" => {
                let number = seen.json()["sampling_session_seq_id"].clone();
                json!({"sampling_session_id": format!("s:sample:{number}")})
            }
            "samplers/s:sample:0" => json!({"sampler_id": "s:sample:0", "base_model": "base"}),
            "asample" => {
                let ids: Vec<String> = (0..seen.json()["num_samples"].as_u64().unwrap_or(1))
                    .map(|n| format!("seq-{seq_id}-{n}"))
                    .collect();
                json!({"request_id": format!("sample-{seq_id}"), "sample_sequence_ids": ids})
            }
            "retrieve_future" => return self.result(&seen.text("request_id")),
            path => return Reply::status(404, json!({"detail": format!("no route {path}")})),
        })
    }

    fn accept_pass(&self, seen: &Seen) -> Reply {
        let pass = if seen.header("content-type") == Some("application/json") {
            serde_json::from_slice(&seen.body).map_err(|_| ())
        } else {
            proto::decode_request(seen.body.clone()).map_err(|_| ())
        };
        let Ok(pass): Result<ForwardBackward, ()> = pass else {
            return Reply::status(422, json!({"detail": "malformed"}));
        };
        let id = format!("pass-{}", pass.seq_id);
        self.0
            .passes
            .lock()
            .unwrap()
            .insert(id.clone(), pass.data.len());
        Reply::json(json!({"request_id": id}))
    }

    fn result(&self, id: &str) -> Reply {
        let (kind, rest) = id.split_once('-').unwrap_or((id, ""));
        Reply::json(match kind {
            "model" => json!({"model_id": format!("s:train:{rest}")}),
            "step" => json!({"metrics": {"grad_norm:mean": 0.5}}),
            "save" => json!({"path": format!("tinker://s:train:0/weights/{rest}")}),
            "export" => json!({"path": format!("tinker://s:train:0/external_weights/{rest}")}),
            "named" => json!({"path": format!("tinker://s:train:0/sampler_weights/{rest}")}),
            "ephemeral" => json!({"sampling_session_id": format!("s:sample:{rest}")}),
            "pass" => {
                let data = self.0.passes.lock().unwrap()[id];
                return Reply::protobuf(proto::encode_output(&pass_output(rest, data)));
            }
            "sample" => {
                let seq_id: u64 = rest.parse().unwrap();
                let token = (seq_id % 1_000_000_000) as u32;
                return Reply::protobuf(proto::encode_sample(&sample_output(token)));
            }
            _ => return Reply::status(404, json!({"detail": "unknown request"})),
        })
    }
}

/// One output per datum, which encodes the sequence id of its request.
fn pass_output(seq_id: &str, data: usize) -> ForwardBackwardOutput {
    let mut output = ForwardBackwardOutput::default();
    let logprob: f32 = seq_id.parse().unwrap();
    output.loss_fn_outputs = vec![[("logprobs".to_owned(), vec![-logprob].into())].into(); data];
    output.metrics.insert("loss:sum".into(), data as f64);
    output
}

fn sample_output(token: u32) -> SampleResponse {
    let mut sample = SampleResponse::default();
    sample.sequences = vec![SampledSequence::new(StopReason::Stop, vec![token])];
    sample
}

/// Data that cross entropy takes.
pub(crate) fn data(count: usize) -> Vec<Datum> {
    vec![Datum::supervised(&[1, 2], &[3]); count]
}

/// Does this future fit into `limit` bytes?
pub(crate) fn assert_small<F: Future>(future: F, limit: usize) -> F {
    let size = size_of_val(&future);
    assert!(size < limit, "the future takes {size} bytes");
    future
}

/// A group without observers.
pub(crate) fn group() -> Arc<Group> {
    let events = EventSink::new(
        ClientObservers::new(Observers::new()),
        None,
        Duration::from_mins(10),
        "http://fake".to_owned(),
    );
    Group::new("testing", &events)
}
