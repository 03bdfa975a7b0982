//! Training steps and uploaded losses.

use http::StatusCode;
use tinker_types::proto::decode_request;
use tinker_types::{CreateCustomLoss, ModelId, RequestType, Submitted};

use super::body::{self, Form};
use super::call::Call;
use super::head::Head;
use super::response::{self, Response};
use crate::refusal::Refusal;

/// Whose training request it is. The data are only counted, without allocating for them, before a small body can turn
/// into a large list.
#[derive(Clone, PartialEq, prost::Message)]
struct ProtobufHead {
    #[prost(string, tag = "1")]
    model_id: String,
    #[prost(int32, tag = "2")]
    seq_id: i32,
    #[prost(message, repeated, tag = "3")]
    data: Vec<Skipped>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Skipped {}

pub(super) fn forward_backward(call: &Call<'_>) -> Result<Response, Refusal> {
    let kind = RequestType::ForwardBackward;
    match body::form(call.headers)? {
        Form::Protobuf if call.json_only => Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "protobuf is not read here, by the engine's behavior; send application/json",
        )),
        Form::Protobuf => {
            let head =
                <ProtobufHead as prost::Message>::decode(call.body.clone()).map_err(|e| {
                    Refusal::malformed(format!(
                        "the request body is not a valid ForwardBackwardRequest: {e}"
                    ))
                })?;
            let number =
                u64::try_from(head.seq_id).map_err(|_| Refusal::invalid("seq_id: is negative"))?;
            let model = ModelId::from(head.model_id);
            let submission = call.submission(kind, &model, number)?;
            let id = call.operations.forward_backward(submission, || {
                call.operations.check_data_count(head.data.len())?;
                Ok(decode_request(call.body.clone())?)
            })?;
            Ok(response::promised(id, &model))
        }
        Form::Json => {
            let head: Head = body::json(&call.body)?;
            let submission = call.submission(kind, &head.model_id, head.seq_id)?;
            let decode = || body::json(&call.body);
            let id = call.operations.forward_backward(submission, decode)?;
            Ok(response::promised(id, &head.model_id))
        }
    }
}

pub(super) fn optim_step(call: &Call<'_>) -> Result<Response, Refusal> {
    let head: Head = body::json(&call.body)?;
    let submission = call.submission(RequestType::OptimStep, &head.model_id, head.seq_id)?;
    let decode = || body::json(&call.body);
    let id = call.operations.optim_step(submission, decode)?;
    Ok(response::promised(id, &head.model_id))
}

pub(super) fn create_loss(call: &Call<'_>) -> Result<Response, Refusal> {
    let request: CreateCustomLoss = body::json(&call.body)?;
    call.check_session(&request.session_id)?;
    let id = call.operations.create_loss(&request, call.body.len())?;
    Ok(response::json(&Submitted::new(id)))
}
