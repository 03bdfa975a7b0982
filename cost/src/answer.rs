//! Prepared answers of a server.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use tinker_transport::Body;
use tinker_types::{
    ForwardBackwardOutput, SampleResponse, SampledSequence, StopReason, TensorData, proto,
};

/// A sample of sequences with log probabilities.
pub(crate) fn sample(sequences: usize, tokens: usize) -> Bytes {
    let mut sequence = SampledSequence::new(StopReason::Length, vec![7; tokens]);
    sequence.logprobs = Some(vec![-0.5; tokens]);
    let mut response = SampleResponse::default();
    response.sequences = vec![sequence; sequences];
    proto::encode_sample(&response)
}

/// The result of a pass.
pub(crate) fn output(rows: usize, tokens: usize) -> Bytes {
    let logprobs = TensorData::from(vec![-0.5_f32; tokens]);
    let mut output = ForwardBackwardOutput::default();
    "TensorMap".clone_into(&mut output.loss_fn_output_type);
    output.metrics = BTreeMap::from([("loss:sum".to_owned(), 1.5)]);
    output.loss_fn_outputs = vec![BTreeMap::from([("logprobs".to_owned(), logprobs)]); rows];
    proto::encode_output(&output)
}

/// The answer to a request for a path.
pub(crate) fn to(path: &str, result: &Bytes) -> Response<Body> {
    let json = "application/json";
    let (body, kind): (Body, _) = match path.strip_prefix("/api/v1/").unwrap_or(path) {
        "retrieve_future" => (result.clone().into(), proto::CONTENT_TYPE),
        "asample" | "forward_backward" => (r#"{"request_id":"operation-1"}"#.into(), json),
        "create_session" => (r#"{"session_id":"s-1"}"#.into(), json),
        "create_sampling_session" => (r#"{"sampling_session_id":"s-1:sample:0"}"#.into(), json),
        _ => ("{}".into(), json),
    };
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
