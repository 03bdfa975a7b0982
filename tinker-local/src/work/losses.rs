//! Uploaded losses.

use std::sync::Arc;

use tinker_types::{
    CreateCustomLoss, CustomLossCreated, InvalidValue, LossId, ModelId, RequestId, RequestType,
};

use super::operations::Operations;
use crate::graph::CustomLoss;
use crate::refusal::Refusal;
use crate::state::Payload;

/// Losses of one session.
const MOST: usize = 256;

/// Bytes of the requests that uploaded the losses of all sessions.
const MOST_BYTES: usize = 64 << 20;

impl Operations {
    /// Adds a loss. A loss that cannot run here is refused at once, with the name of the node. `bytes` is the size of
    /// the request.
    pub(crate) fn create_loss(
        &self,
        request: &CreateCustomLoss,
        bytes: usize,
    ) -> Result<RequestId, Refusal> {
        let session = &request.session_id;
        self.touch(session)?;
        let id = LossId::of_session(session, request.custom_loss_seq_id);
        let promise = RequestId::of_loss(&id);
        if self.registry().loss(&id).is_some() {
            return Ok(promise);
        }
        let (own, all) = self.registry().count_losses(&id);
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
        let loss = Arc::new(CustomLoss::parse(request)?);
        let kind = RequestType::CreateCustomLoss;
        let accepted = self.promises.accept(promise.clone(), kind, bytes, false)?;
        self.registry().add_loss(id.clone(), bytes, loss);
        if let Some(accepted) = accepted {
            accepted.settle(Ok(Payload::json(&CustomLossCreated::new(id))));
        }
        Ok(promise)
    }

    /// The loss of this id, if the model belongs to the session that uploaded it.
    pub(super) fn loss_of(
        &self,
        model: &ModelId,
        id: &LossId,
    ) -> Result<Arc<CustomLoss>, InvalidValue> {
        let found = self.registry().loss(id);
        let is_own = id.session() == model.session();
        found.filter(|_| is_own).ok_or_else(|| {
            let why = format!(
                "{:?} is not a loss of the session of {model}; upload it with create_custom_loss",
                id.as_str()
            );
            InvalidValue::new("loss_fn_config.loss_id", why)
        })
    }
}
