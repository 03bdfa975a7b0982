//! Decoders of the client: a server gives arbitrary answers to its requests.

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use tinker_client::{
    AdamParams, Datum, ListOptions, LoraConfig, Loss, ModelInput, SamplingParams, ServiceClient,
};
use tinker_transport::Body;
use tinker_types::CheckpointPath;
use tokio::runtime::Runtime;

/// How often the arbitrary answer is given. After that the server refuses, so that every call ends.
const TIMES: u8 = 6;

/// The test clock is paused, so this takes no real time.
const PATIENCE: Duration = Duration::from_hours(4);

#[derive(Clone)]
struct Odd {
    status: u16,
    kind: &'static str,
    encoding: &'static str,
    retry_after: Option<HeaderValue>,
    body: Bytes,
    left: u8,
}

type Answers = Arc<Mutex<Option<Odd>>>;

struct Lab {
    runtime: Runtime,
    client: ServiceClient,
    answers: Answers,
}

thread_local! {
    static LAB: RefCell<Option<Lab>> = const { RefCell::new(None) };
}

const STATUSES: [u16; 16] = [
    200, 200, 200, 200, 200, 200, 202, 204, 302, 400, 402, 408, 410, 429, 500, 503,
];

/// Layout of an input: a byte for the call, a byte for the status, the length of a `Retry-After`, its value, the body.
pub(super) fn client_answer(bytes: &[u8]) {
    let [ask, how, length, rest @ ..] = bytes else {
        return;
    };
    let (retry_after, body) = rest.split_at(usize::from(*length).min(rest.len()));
    let odd = Odd {
        status: STATUSES[usize::from(how % 16)],
        kind: [
            "application/json",
            "application/x-protobuf",
            "text/html",
            "",
        ][usize::from(how >> 4 & 3)],
        encoding: ["", "", "zstd", "gzip"][usize::from(how >> 6)],
        retry_after: HeaderValue::from_bytes(retry_after)
            .ok()
            .filter(|value| !value.is_empty()),
        body: Bytes::copy_from_slice(body),
        left: TIMES,
    };
    LAB.with_borrow_mut(|lab| lab.get_or_insert_with(Lab::new).ask(*ask, odd));
}

impl Lab {
    fn new() -> Self {
        let answers = Answers::default();
        let shared = Arc::clone(&answers);
        let leaf = tower::service_fn(move |request: Request<Body>| {
            let answer = answer(&shared, request.uri().path());
            std::future::ready(Ok::<_, Infallible>(answer))
        });
        let client = ServiceClient::builder()
            .leaf(leaf)
            .build()
            .expect("a client of a leaf");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build();
        Self {
            runtime: runtime.expect("a runtime"),
            client,
            answers,
        }
    }

    fn set(answers: &Answers, odd: Option<Odd>) {
        *answers.lock().unwrap_or_else(PoisonError::into_inner) = odd;
    }

    fn ask(&mut self, ask: u8, odd: Odd) {
        let (client, answers) = (&self.client, &self.answers);
        let called = async {
            let path: CheckpointPath = "tinker://s-1:train:0/weights/a"
                .parse()
                .expect("an address");
            let checkpoints = client.checkpoints();
            match ask % 12 {
                0..=2 => {
                    let Ok(training) = client
                        .create_lora_training_client("tiny", LoraConfig::new(4))
                        .await
                    else {
                        return;
                    };
                    Self::set(answers, Some(odd));
                    let data = vec![Datum::supervised(&[1, 2], &[3])];
                    let pass = training.forward_backward(data, Loss::cross_entropy());
                    let step = training.optim_step(AdamParams::new(1e-3));
                    let _ended = (pass.await, step.await);
                }
                3..=5 => {
                    let Ok(sampler) = client.create_sampling_client("tiny").await else {
                        return;
                    };
                    Self::set(answers, Some(odd));
                    let params = SamplingParams::default().with_max_tokens(3);
                    let prompt = ModelInput::from_tokens([1, 2]);
                    if ask % 12 == 5 {
                        let mut events = sampler.stream(prompt, params);
                        while let Ok(Some(_event)) = events.try_next().await {}
                        return;
                    }
                    let _ended = sampler.sample(prompt, params).await;
                    let _ended = sampler
                        .compute_logprobs(ModelInput::from_tokens([1, 2]))
                        .await;
                }
                more => {
                    Self::set(answers, Some(odd));
                    match more {
                        6 => drop(client.server_capabilities().await),
                        7 => drop(client.runs().get(path.run()).await),
                        8 => drop(checkpoints.page(ListOptions::default()).await),
                        9 => drop(checkpoints.get(&path).await),
                        10 => drop(checkpoints.file_urls(&path).await),
                        _ => drop(
                            client
                                .create_lora_training_client("tiny", LoraConfig::new(4))
                                .await,
                        ),
                    }
                }
            }
        };
        let ended = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, called).await });
        Self::set(&self.answers, None);
        assert!(ended.is_ok(), "the call goes on for hours");
    }
}

fn answer(answers: &Answers, path: &str) -> Response<Body> {
    let mut odd = answers.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(odd) = &mut *odd else {
        return usual(path);
    };
    if odd.left == 0 {
        return plain(400, r#"{"detail":"enough"}"#);
    }
    odd.left -= 1;
    let mut answer = Response::new(Body::from(odd.body.clone()));
    *answer.status_mut() = http::StatusCode::from_u16(odd.status).unwrap_or_default();
    let headers = answer.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(odd.kind));
    if !odd.encoding.is_empty() {
        headers.insert("content-encoding", HeaderValue::from_static(odd.encoding));
    }
    if let Some(value) = &odd.retry_after {
        headers.insert("retry-after", value.clone());
    }
    answer
}

/// Valid answers to the set-up requests: a session, a model and a sampler.
fn usual(path: &str) -> Response<Body> {
    let body = match path.rsplit('/').next().unwrap_or_default() {
        "create_session" => r#"{"session_id":"s-1","type":"create_session"}"#,
        "create_sampling_session" => {
            r#"{"sampling_session_id":"s-1:sample:0","type":"create_sampling_session"}"#
        }
        "create_model" => r#"{"request_id":"s-1:train:0:0","model_id":"s-1:train:0"}"#,
        "retrieve_future" => r#"{"model_id":"s-1:train:0","type":"create_model"}"#,
        "get_info" => r#"{"model_data":{},"model_id":"s-1:train:0"}"#,
        _ => "{}",
    };
    plain(200, body)
}

fn plain(status: u16, body: &'static str) -> Response<Body> {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    answer
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/json"));
    answer
}
