//! `LossHandle`: a loss of a session.

use std::sync::Arc;

use tinker_types::{Datum, InvalidValue, LossId, SessionId};

use super::LossGraph;

/// A loss of one's own, made known to a session by
/// [`create_custom_loss`](crate::ServiceClient::create_custom_loss), to train with as often as one likes by
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

    /// Its id on the server that runs it; `None` where it is run here, because the server runs no
    /// losses of others.
    pub fn loss_id(&self) -> Option<&LossId> {
        self.id.as_ref()
    }

    /// The loss, for a call that runs it here.
    pub(crate) fn shared(&self) -> Arc<LossGraph> {
        Arc::clone(&self.loss)
    }

    /// Is this a loss of that session, and one for these data?
    pub(crate) fn check(
        &self,
        session: Option<&SessionId>,
        data: &[Datum],
    ) -> Result<(), InvalidValue> {
        if session != Some(&self.session) {
            let why = format!(
                "is a loss of session {}; create it in this one too",
                self.session
            );
            return Err(InvalidValue::new("loss", why));
        }
        self.loss.check_data(data)
    }
}
