//! `LossHandle`: a custom loss registered with a session.

use std::sync::Arc;

use tinker_types::{Datum, InvalidValue, LossId, SessionId};

use super::graph::LossGraph;

/// A custom loss registered with a session by
/// [`create_custom_loss`](crate::ServiceClient::create_custom_loss), for use in
/// [`forward_backward_with`](crate::TrainingClient::forward_backward_with). Cheap to clone.
#[derive(Debug, Clone)]
pub struct LossHandle {
    session: SessionId,
    loss: Arc<LossGraph>,
    id: Option<LossId>,
}

impl LossHandle {
    pub(crate) fn new(session: SessionId, loss: Arc<LossGraph>, id: Option<LossId>) -> Self {
        Self { session, loss, id }
    }

    /// The loss.
    pub fn loss(&self) -> &LossGraph {
        &self.loss
    }

    /// Id of the loss on the server; `None` if the client runs the loss, because the server does not run custom losses.
    pub fn loss_id(&self) -> Option<&LossId> {
        self.id.as_ref()
    }

    /// A shared reference to the loss.
    pub(crate) fn shared(&self) -> Arc<LossGraph> {
        Arc::clone(&self.loss)
    }

    /// Checks that the loss belongs to the session and fits the data.
    pub(crate) fn check(
        &self,
        session: Option<&SessionId>,
        data: &[Datum],
    ) -> Result<(), InvalidValue> {
        if session != Some(&self.session) {
            let why = format!(
                "belongs to session {}; create it in this session as well",
                self.session
            );
            return Err(InvalidValue::new("loss", why));
        }
        self.loss.check_data(data)
    }
}
