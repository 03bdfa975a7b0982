//! Uploaded losses.

use std::sync::Arc;

use tinker_types::{
    CreateCustomLoss, CustomLossCreated, InvalidValue, LossId, ModelId, RequestId, RequestType,
    Submitted,
};

use super::answer::{self, Answer};
use super::body;
use super::call::Call;
use super::refusal::Refusal;
use super::session::touch;
use crate::graph::CustomLoss;
use crate::note::session_of;
use crate::state::Payload;

/// Losses of one session.
const MOST: usize = 256;

/// Bytes of the requests that uploaded the losses of all sessions.
const MOST_BYTES: usize = 64 << 20;

/// Takes in a loss. What can't be run here is refused at once, with the name of the node.
pub(super) fn create(call: &Call<'_>) -> Result<Answer, Refusal> {
    let request: CreateCustomLoss = body::json(&call.body)?;
    let (shared, session) = (call.shared, &request.session_id);
    touch(shared, session)?;
    let id = LossId::from(format!("{session}:loss:{}", request.custom_loss_seq_id));
    let promise = RequestId::from(id.as_str());
    if shared.registry().loss(&id).is_none() {
        let bytes = call.body.len();
        let (own, all) = shared.registry().count_losses(&id);
        if own >= MOST {
            return Err(Refusal::invalid(format!(
                "custom_loss_seq_id: the session has {MOST} losses, which is the most; open another one"
            )));
        }
        if all > 0 && all + bytes > MOST_BYTES {
            return Err(Refusal::invalid(format!(
                "graph: the losses of all sessions have {all} bytes, {MOST_BYTES} is the most; finish a session"
            )));
        }
        let loss = Arc::new(CustomLoss::parse(&request)?);
        let fulfil =
            shared
                .promises
                .accept(promise.clone(), RequestType::CreateCustomLoss, bytes, false)?;
        shared.registry().add_loss(id.clone(), bytes, loss);
        if let Some(fulfil) = fulfil {
            fulfil.settle(Ok(Payload::json(&CustomLossCreated::new(id))));
        }
    }
    Ok(answer::json(&Submitted::new(promise)))
}

/// The loss of this id, if the model belongs to the session that uploaded it.
pub(super) fn of_model(
    call: &Call<'_>,
    model: &ModelId,
    id: &LossId,
) -> Result<Arc<CustomLoss>, InvalidValue> {
    let found = call.shared.registry().loss(id);
    let own = session_of(id.as_str()) == session_of(model.as_str());
    found.filter(|_| own).ok_or_else(|| {
        let why = format!(
            "{:?} is no loss of the session of {model}; upload it with create_custom_loss",
            id.as_str()
        );
        InvalidValue::new("loss_fn_config.loss_id", why)
    })
}
