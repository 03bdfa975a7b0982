//! Messages in JSON and protobuf. A decoded message that is encoded again must decode to the same value.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tinker_types::proto::{
    decode_output, decode_request, decode_sample, encode_output, encode_request, encode_sample,
};
use tinker_types::{
    ApiKeyInfo, AuditLog, BillingUsage, CancelFuture, CheckpointStorage, Checkpoints, Completions,
    CopyWeights, CreateCustomLoss, CreateModel, CreateSamplingSession, CreateSession,
    CustomLossCreated, ErrorBody, ExternalWeightsUrls, FinishSession, ForwardBackward,
    ForwardBackwardOutput, FoundSessions, GetClientConfig, GetDynamicConfig, GetInfo,
    GetWeightsInfo, JoinSamplingSession, LoadWeights, ModelCreated, ModelInfo, OptimStep,
    OptimStepOutput, RetrieveFuture, RetrieveFutures, Retrieved, SampleRequest, SampleResponse,
    SamplerInfo, SamplingSessionCreated, SamplingSessionJoined, SaveWeights, SaveWeightsExternal,
    SaveWeightsForSampler, SavedExternal, SavedForSampler, SavedWeights, SendTelemetry,
    ServerCapabilities, SessionCreated, SessionHeartbeat, SessionInfo, Sessions, Submitted,
    TelemetryAccepted, TensorData, TraceExport, TrainingRun, TrainingRuns, WeightsCopied,
    WeightsInfo, WeightsLoaded,
};

/// Largest tensor that is made dense here. A sparse tensor of a few bytes can describe a huge matrix; `cells` gives its
/// size.
const MOST_CELLS: usize = 1 << 16;

fn read<T: DeserializeOwned>(bytes: &[u8]) {
    let _read = serde_json::from_slice::<T>(bytes);
}

/// Decodes; if that succeeds, encodes and decodes again.
fn travel<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<T>(bytes) {
        let text = serde_json::to_vec(&value).expect("what was read can be written");
        if let Err(error) = serde_json::from_slice::<T>(&text) {
            panic!("{error}: {}", String::from_utf8_lossy(&text));
        }
    }
}

macro_rules! each {
    ($does:ident, $bytes:ident: $($message:ty),* $(,)?) => { $($does::<$message>($bytes);)* };
}

/// Decodes the bytes as every request type.
pub(super) fn request_json(bytes: &[u8]) {
    each!(travel, bytes:
        CancelFuture, GetClientConfig, CopyWeights, CreateCustomLoss, CreateModel, CreateSamplingSession,
        CreateSession, GetDynamicConfig, FinishSession, GetInfo, JoinSamplingSession, LoadWeights, OptimStep,
        RetrieveFuture, RetrieveFutures, SampleRequest, SaveWeights, SaveWeightsExternal, SaveWeightsForSampler,
        SendTelemetry, SessionHeartbeat, GetWeightsInfo,
    );
    each!(read, bytes: ForwardBackward);
}

/// Decodes the bytes as every response type and as every result of a promise.
pub(super) fn answer_json(bytes: &[u8]) {
    each!(read, bytes:
        ApiKeyInfo, AuditLog, BillingUsage, CheckpointStorage, Checkpoints, Completions, CustomLossCreated,
        ExternalWeightsUrls, ForwardBackwardOutput, FoundSessions, ModelCreated, ModelInfo, OptimStepOutput, ErrorBody,
        SampleResponse, SamplerInfo, SamplingSessionCreated, SamplingSessionJoined, SavedExternal, SavedForSampler,
        SavedWeights, ServerCapabilities, SessionCreated, SessionInfo, Sessions, Submitted, TelemetryAccepted,
        TraceExport, TrainingRun, TrainingRuns, WeightsCopied, WeightsInfo, WeightsLoaded,
    );
    if let Ok(value) = serde_json::from_slice(bytes) {
        let _read = Retrieved::from_json(value);
    }
}

pub(super) fn request_protobuf(bytes: &[u8]) {
    let Ok(request) = decode_request(Bytes::copy_from_slice(bytes)) else {
        return;
    };
    for datum in request.data.iter() {
        datum.loss_fn_inputs.values().for_each(look);
    }
    // Some values decode and are refused by the encoder: ids that are negative on the wire, for example.
    if let Ok(again) = encode_request(&request) {
        let second = decode_request(again.clone()).expect("what was written can be read");
        let third = encode_request(&second).expect("and written");
        assert_eq!(
            again.len(),
            third.len(),
            "{request:?} travelled as {second:?}"
        );
    }
}

pub(super) fn output_protobuf(bytes: &[u8]) {
    let Ok(output) = decode_output(Bytes::copy_from_slice(bytes)) else {
        return;
    };
    let _json = serde_json::to_vec(&output);
    let again = decode_output(encode_output(&output)).expect("what was written can be read");
    assert_eq!(
        again.loss_fn_outputs.len(),
        output.loss_fn_outputs.len(),
        "{output:?} travelled as {again:?}"
    );
}

pub(super) fn sample_protobuf(bytes: &[u8]) {
    let Ok(sample) = decode_sample(Bytes::copy_from_slice(bytes)) else {
        return;
    };
    let _json = serde_json::to_vec(&sample);
    let again = decode_sample(encode_sample(&sample)).expect("what was written can be read");
    assert_eq!(
        again.sequences.len(),
        sample.sequences.len(),
        "{sample:?} travelled as {again:?}"
    );
}

pub(super) fn tensor_json(bytes: &[u8]) {
    if let Ok(tensor) = serde_json::from_slice::<TensorData>(bytes) {
        look(&tensor);
        let text = serde_json::to_vec(&tensor).expect("a tensor has a JSON form");
        let again = serde_json::from_slice::<TensorData>(&text).expect("which can be read");
        assert_eq!(again.shape(), tensor.shape());
    }
}

fn look(tensor: &TensorData) {
    let _bytes = tensor.wire_bytes();
    if tensor.cells() <= MOST_CELLS {
        assert_eq!(tensor.to_dense().cells(), tensor.cells());
    }
}
