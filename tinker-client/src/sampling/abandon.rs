//! Cancellation of dropped samples.

use std::sync::Arc;

use tinker_types::RequestId;

use crate::session::connection::Connection;

/// Cancels an accepted sample on the server when dropped before it is disarmed.
#[derive(Debug)]
pub(super) struct Abandon {
    connection: Arc<Connection>,
    request_id: Option<RequestId>,
}

impl Abandon {
    pub(super) fn new(connection: &Arc<Connection>, request_id: RequestId) -> Self {
        Self {
            connection: Arc::clone(connection),
            request_id: Some(request_id),
        }
    }

    /// Ends the guard after a result or an error.
    pub(super) fn disarm(mut self) {
        self.request_id = None;
    }
}

impl Drop for Abandon {
    fn drop(&mut self) {
        if let Some(request_id) = self.request_id.take() {
            self.connection.cancels.push(request_id);
        }
    }
}
