//! Allocations of one sample, from the call to its result, over a service in this process.
//!
//! In a program of its own, because it counts with the global allocator. The client runs on one thread, so that
//! everything is counted.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::convert::Infallible;

use allocation_counter::measure;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use tinker_client::{Config, ModelInput, SamplingClient, SamplingParams, ServiceClient};
use tinker_transport::Body;
use tinker_types::{SampleResponse, SampledSequence, StopReason, proto};
use tokio::runtime::{Builder, Runtime};

/// Allocations of a sample that is submitted, accepted, polled once and decoded. A change that adds some gives a reason.
const ALLOCATIONS: u64 = 49;
/// Bytes that they take.
const BYTES: u64 = 39_500;

fn answer(path: &str) -> Response<Body> {
    let (body, kind) = match path {
        "/api/v1/retrieve_future" => {
            let mut sequence = SampledSequence::new(StopReason::Length, vec![7; 16]);
            sequence.logprobs = Some(vec![-0.5; 16]);
            let mut response = SampleResponse::default();
            response.sequences = vec![sequence];
            (proto::encode_sample(&response).into(), proto::CONTENT_TYPE)
        }
        "/api/v1/asample" => (r#"{"request_id":"sample-1"}"#.into(), "application/json"),
        "/api/v1/create_session" => (r#"{"session_id":"s-1"}"#.into(), "application/json"),
        "/api/v1/create_sampling_session" => (
            r#"{"sampling_session_id":"s-1:sample:0"}"#.into(),
            "application/json",
        ),
        _ => ("{}".into(), "application/json"),
    };
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn sampler(runtime: &Runtime) -> SamplingClient {
    let leaf = tower::service_fn(|request: Request<Body>| async move {
        Ok::<_, Infallible>(answer(request.uri().path()))
    });
    let config = Config::new("http://server.test")
        .with_api_key("tml-test")
        .with_telemetry(false);
    runtime.block_on(async {
        let service = ServiceClient::builder().config(config).leaf(leaf).build();
        let service = service.unwrap();
        service.create_sampling_client("m").await.unwrap()
    })
}

#[test]
fn a_sample_takes_few_allocations() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let client = sampler(&runtime);
    let prompt = ModelInput::from_tokens((0..32).collect::<Vec<_>>());
    let sample = || runtime.block_on(draw(&client, &prompt));
    (0..100).for_each(|_| sample());
    let counted = measure(|| (0..100).for_each(|_| sample()));
    let (allocations, bytes) = (counted.count_total / 100, counted.bytes_total / 100);
    assert!(
        allocations <= ALLOCATIONS && bytes <= BYTES,
        "{allocations} allocations, {bytes} bytes"
    );
}

async fn draw(client: &SamplingClient, prompt: &ModelInput) {
    let params = SamplingParams::default().with_max_tokens(16);
    let response = client.sample(prompt.clone(), params).await.unwrap();
    assert_eq!(response.sequences[0].tokens.len(), 16);
}
