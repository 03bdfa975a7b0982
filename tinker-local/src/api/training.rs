//! Training steps.

use http::StatusCode;
use tinker_types::proto::decode_request;
use tinker_types::{ForwardBackward, LossId, ModelId, OptimStep, RequestType};

use super::answer::Answer;
use super::body::{self, Form};
use super::call::Call;
use super::loss;
use super::model::info_of;
use super::refusal::Refusal;
use super::submit::submit;
use crate::{convert, work};

/// The part of a training request that says whose it is. The data are only counted, in no memory at all, before a
/// small body can turn into a large list.
#[derive(Clone, PartialEq, prost::Message)]
struct Head {
    #[prost(string, tag = "1")]
    model_id: String,
    #[prost(int32, tag = "2")]
    seq_id: i32,
    #[prost(message, repeated, tag = "3")]
    data: Vec<Skipped>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Skipped {}

pub(super) fn forward_backward(call: &Call<'_>) -> Result<Answer, Refusal> {
    let kind = RequestType::ForwardBackward;
    match body::form(call.headers)? {
        Form::Protobuf if call.json_only => Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "protobuf is not read here, by the engine's behavior; send application/json",
        )),
        Form::Protobuf => {
            let head = <Head as prost::Message>::decode(call.body.clone()).map_err(|e| {
                Refusal::malformed(format!("the body is no ForwardBackwardRequest: {e}"))
            })?;
            let number =
                u64::try_from(head.seq_id).map_err(|_| Refusal::invalid("seq_id: is negative"))?;
            submit(call, kind, &ModelId::from(head.model_id), number, || {
                check_count(call, head.data.len())?;
                pass(call, &decode_request(call.body.clone())?)
            })
        }
        Form::Json => {
            let head: JsonHead = body::json(&call.body)?;
            submit(call, kind, &head.model_id, head.seq_id, || {
                pass(call, &body::json(&call.body)?)
            })
        }
    }
}

/// The same of the older JSON form.
#[derive(serde::Deserialize)]
struct JsonHead {
    model_id: ModelId,
    seq_id: u64,
}

fn check_count(call: &Call<'_>, data: usize) -> Result<(), Refusal> {
    let most = call.shared.limits.data_per_request;
    if data > most {
        return Err(Refusal::invalid(format!(
            "data: has {data} entries, {most} is the most; send fewer at a time"
        )));
    }
    Ok(())
}

fn pass(call: &Call<'_>, request: &ForwardBackward) -> Result<work::Act, Refusal> {
    check_count(call, request.data.len())?;
    let custom_loss = |id: &LossId| loss::of_model(call, &request.model_id, id);
    let pass = convert::pass(request, info_of(call, &request.model_id)?, custom_loss)?;
    Ok(work::train(pass))
}

pub(super) fn optim_step(call: &Call<'_>) -> Result<Answer, Refusal> {
    let head: JsonHead = body::json(&call.body)?;
    submit(
        call,
        RequestType::OptimStep,
        &head.model_id,
        head.seq_id,
        || {
            let request: OptimStep = body::json(&call.body)?;
            Ok(work::step(convert::adam_step(&request)?))
        },
    )
}
