//! Training requests and results of promises.

use serde_json::Value;
use tinker_types::{
    CustomLossCreated, ForwardBackward, ModelCreated, OptimStepOutput, RetrieveFuture, Retrieved,
    SavedExternal, SavedForSampler, SavedWeights, Submitted, WeightsLoaded, proto,
};

use super::endpoint::{Case, Read, answer, as_json_void, reencoded};
use crate::vectors::message::Message;

/// Checks that a training request is equal after encoding and decoding, and that its answer is a promise.
pub(super) fn pass(case: &Case<'_>) -> Read {
    let Message::Pass(pass) = case.message else {
        return Err("the body is no training request".to_owned());
    };
    let body = proto::encode_request(pass).map_err(|error| error.to_string())?;
    let again: ForwardBackward = proto::decode_request(body).map_err(|error| error.to_string())?;
    // As text, because a NaN does not equal itself.
    if format!("{again:?}") != format!("{pass:?}") {
        return Err("the request changes when it is written again".to_owned());
    }
    match answer(case) {
        Some(body) => reencoded::<Submitted>(body).map(Some),
        None => Ok(None),
    }
}

/// Checks a poll; its answer is of the type that the request names.
pub(super) fn retrieve(case: &Case<'_>) -> Read {
    as_json_void::<RetrieveFuture>(case)?;
    let kind = case.exchange.request.header("x-tinker-request-type");
    let kind = kind.ok_or("no X-Tinker-Request-Type")?;
    if !case.reads_answer || !case.exchange.is_success() {
        return Ok(None);
    }
    let Some(body) = answer(case) else {
        return protobuf(case, kind);
    };
    let retrieved = Retrieved::from_json(body.clone()).map_err(|error| error.to_string())?;
    match retrieved {
        Retrieved::Done(value) => done(kind, &value).map(Some),
        _ => Ok(None),
    }
}

fn done(kind: &str, value: &Value) -> Result<Value, String> {
    match kind {
        "CreateModel" => reencoded::<ModelCreated>(value),
        "LoadWeights" => reencoded::<WeightsLoaded>(value),
        "OptimStep" => reencoded::<OptimStepOutput>(value),
        "SaveWeights" => reencoded::<SavedWeights>(value),
        "SaveWeightsForSampler" => reencoded::<SavedForSampler>(value),
        "SaveWeightsExternal" => reencoded::<SavedExternal>(value),
        "CreateCustomLoss" => reencoded::<CustomLossCreated>(value),
        other => Err(format!("no type for the result of {other}")),
    }
}

/// Checks that a protobuf result is equal after encoding and decoding.
fn protobuf(case: &Case<'_>, kind: &str) -> Read {
    let Some(answer) = &case.exchange.response else {
        return Ok(None);
    };
    if answer.headers.contains_key("content-encoding") {
        return Ok(None); // Left to the transport.
    }
    let body = answer.body.wire()?;
    let error = |error: tinker_types::InvalidValue| format!("the answer: {error}");
    let (first, second) = match kind {
        "Forward" | "ForwardBackward" => {
            let output = proto::decode_output(body).map_err(error)?;
            let again = proto::decode_output(proto::encode_output(&output)).map_err(error)?;
            (format!("{output:?}"), format!("{again:?}"))
        }
        "Sample" => {
            let response = proto::decode_sample(body).map_err(error)?;
            let again = proto::decode_sample(proto::encode_sample(&response)).map_err(error)?;
            (format!("{response:?}"), format!("{again:?}"))
        }
        other => return Err(format!("{other} is no protobuf result")),
    };
    if first == second {
        return Ok(None);
    }
    Err(format!(
        "the answer changes when it is written again: {first} becomes {second}"
    ))
}
