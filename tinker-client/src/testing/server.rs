//! `MockServer`: answers by rules.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use tinker_transport::{Body, TransportError};
use tinker_types::wire::route;
use tinker_types::{Endpoint, Operation, RetrieveFuture, Retrieved, proto};

use super::default::{self, Default as Answer};
use super::script::{Failure, json_answer};
use crate::{Config, Error, ServiceClient, ServiceClientBuilder};

/// Largest body that is read.
const BODY_LIMIT: u64 = 1 << 30;

/// A server in the test's process. Clones refer to the same server.
///
/// Each operation has a default answer: passes have log probabilities of zero, a sample is the token 0. Rules replace
/// answers, failures are taken first, and what was sent is kept. Clients made by it go through the whole default stack, so
/// that retries and waits are real; in a test with paused time they take no time. They send no telemetry.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tinker_client::testing::{Failure, MockServer};
/// use tinker_client::types::{OptimStep, SampleRequest};
/// use tinker_client::{SampleResponse, SampledSequence, SamplingParams, StopReason};
///
/// let server = MockServer::new();
/// server.answer::<SampleRequest>(|request| {
///     let mut response = SampleResponse::default();
///     let tokens = vec![request.body["prompt"]["chunks"].as_array().map_or(0, Vec::len) as u32];
///     response.sequences = vec![SampledSequence::new(StopReason::Stop, tokens)];
///     response
/// });
/// server.fail::<SampleRequest>(Failure::Unreachable);
///
/// let sampling = server.service()?.create_sampling_client("mock").await?;
/// let response = sampling.sample([72, 105], SamplingParams::default()).await?;
/// assert_eq!(response.sequences[0].tokens, [1]);
/// assert_eq!(server.received::<SampleRequest>().len(), 2); // the first attempt failed
/// assert!(server.received::<OptimStep>().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct MockServer(Arc<Mutex<State>>);

/// A request that the server received.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Received {
    /// Path below the prefix of the API, for example `optim_step`.
    pub route: String,
    /// The body as JSON, also of a request in protobuf; null without one.
    pub body: Value,
    /// Headers.
    pub headers: HeaderMap,
}

type Rule = Arc<dyn Fn(&Received) -> Value + Send + Sync>;

#[derive(Default)]
struct State {
    received: Vec<Received>,
    rules: HashMap<String, Rule>,
    failures: HashMap<String, VecDeque<Failure>>,
    /// Results of accepted operations.
    promises: Vec<Value>,
}

impl MockServer {
    /// A server with default answers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the result of an operation of the API. The closure receives each request of it. Other endpoints are answered
    /// by a layer: [`builder`](Self::builder) and `attempt_layer`.
    pub fn answer<O>(&self, result: impl Fn(&Received) -> O::Output + Send + Sync + 'static)
    where
        O: Operation<Output: Serialize>,
    {
        let rule =
            move |received: &Received| serde_json::to_value(result(received)).unwrap_or_default();
        let mut state = self.state();
        state.rules.insert(O::ROUTE.to_owned(), Arc::new(rule));
    }

    /// Lets the next request of an endpoint fail. Failures of several calls are used in order, one for each request.
    pub fn fail<E: Endpoint>(&self, failure: Failure) {
        let mut state = self.state();
        let failures = state.failures.entry(E::ROUTE.to_owned()).or_default();
        failures.push_back(failure);
    }

    /// The requests of an endpoint so far, in order, with those that failed.
    pub fn received<E: Endpoint>(&self) -> Vec<Received> {
        let state = self.state();
        let all = state.received.iter();
        all.filter(|received| received.route == E::ROUTE)
            .cloned()
            .collect()
    }

    /// A client of this server.
    ///
    /// # Errors
    /// None with the settings of a mock server; those of a client.
    pub fn service(&self) -> Result<ServiceClient, Error> {
        self.builder().build()
    }

    /// The builder of a client of this server, for custom settings and layers.
    pub fn builder(&self) -> ServiceClientBuilder {
        let server = self.clone();
        let leaf = tower::service_fn(move |request| {
            let server = server.clone();
            async move { server.respond(request).await }
        });
        ServiceClient::builder()
            .config(Config::new("http://mock").with_telemetry(false))
            .leaf(leaf)
    }

    async fn respond(&self, request: Request<Body>) -> Result<Response<Body>, TransportError> {
        let (head, body) = request.into_parts();
        let body = body.collect(BODY_LIMIT).await?;
        let path = head.uri.path();
        let received = Received {
            route: path.strip_prefix(route::PREFIX).unwrap_or(path).to_owned(),
            body: to_json(&head.headers, body),
            headers: head.headers,
        };
        let mut state = self.state();
        if received.route == RetrieveFuture::ROUTE {
            return Ok(state.result(&received.body));
        }
        state.received.push(received.clone());
        let number = state.received.len();
        let failures = state.failures.get_mut(&received.route);
        let failure = failures.and_then(VecDeque::pop_front);
        let rule = state.rules.get(&received.route).map(Arc::clone);
        // A rule may use the server.
        drop(state);
        let mut answer = default::result(&received.route, &received.body, number);
        if let (Answer::Promise(result), Some(rule)) = (&mut answer, rule) {
            *result = rule(&received);
        }
        match (failure, &mut answer) {
            (Some(Failure::Operation(category, error)), Answer::Promise(result)) => {
                let failed = Retrieved::Failed { error, category };
                *result = failed.to_json(&"".into());
            }
            (Some(failure), _) => return failure.answer(),
            (None, _) => {}
        }
        Ok(match answer {
            Answer::Answer(value) => json_answer(StatusCode::OK, &value),
            Answer::Promise(result) => {
                let mut state = self.state();
                state.promises.push(result);
                let id = (state.promises.len() - 1).to_string();
                json_answer(StatusCode::OK, &json!({"request_id": id}))
            }
            Answer::None => {
                let detail = format!("the mock server has no route {}", received.route);
                json_answer(StatusCode::NOT_FOUND, &json!({"detail": detail}))
            }
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn result(&self, poll: &Value) -> Response<Body> {
        let id = poll["request_id"].as_str().unwrap_or_default();
        let found = id.parse().ok().and_then(|at: usize| self.promises.get(at));
        match found {
            Some(result) => json_answer(StatusCode::OK, result),
            None => json_answer(StatusCode::NOT_FOUND, &json!({"detail": "Not Found"})),
        }
    }
}

/// A body as JSON.
fn to_json(headers: &HeaderMap, body: Bytes) -> Value {
    let form = headers
        .get(CONTENT_TYPE)
        .map_or(&b""[..], |form| form.as_bytes());
    if form == proto::CONTENT_TYPE.as_bytes() {
        let decoded = proto::decode_request(body).ok();
        return decoded
            .and_then(|pass| serde_json::to_value(pass).ok())
            .unwrap_or_default();
    }
    serde_json::from_slice(&body).unwrap_or_default()
}

impl fmt::Debug for MockServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let received = self.state().received.len();
        f.debug_struct("MockServer")
            .field("received", &received)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tinker_types::{ErrorCategory, ForwardBackward, OptimStep};

    use super::*;
    use crate::{AdamParams, Datum, LoraConfig, Loss};

    #[tokio::test(start_paused = true)]
    async fn a_loop_is_tested_against_scripted_failures() {
        let server = MockServer::new();
        let service = server.service().unwrap();
        let lora = LoraConfig::new(4);
        let training = service
            .create_lora_training_client("mock", lora)
            .await
            .unwrap();
        server.fail::<ForwardBackward>(Failure::Status(503, "busy".to_owned()));
        let failed = Failure::Operation(ErrorCategory::Server, "out of memory".to_owned());
        server.fail::<OptimStep>(failed);
        let data = vec![Datum::supervised(&[1, 2], &[3])];
        let step =
            || training.train_step(data.clone(), Loss::cross_entropy(), AdamParams::new(0.1));
        let error = step().await.unwrap_err();
        assert!(error.to_string().contains("out of memory"), "{error}");
        let done = step().await.unwrap();
        assert_eq!(done.pass.logprobs(0), Some(&[0.0, 0.0][..]));
        let passes = server.received::<ForwardBackward>();
        assert_eq!(passes.len(), 3);
        assert_eq!(
            passes[0].body, passes[1].body,
            "a repeat is the same request"
        );
        let saved = training.save_state("one").await.unwrap().path;
        assert!(saved.to_string().ends_with("/weights/one"));
        let sampler = training
            .save_weights_and_get_sampling_client()
            .await
            .unwrap();
        sampler
            .sample([1], crate::SamplingParams::default())
            .await
            .unwrap();
    }
}
