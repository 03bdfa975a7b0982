//! What happens to an accepted sample that nobody waits for any more.

use std::sync::Arc;

use tinker_types::RequestId;

use crate::link::Link;

/// Tells the server that a sample is no longer wanted when dropped before it is disarmed.
#[derive(Debug)]
pub(super) struct Abandon {
    link: Arc<Link>,
    request_id: Option<RequestId>,
}

impl Abandon {
    pub(super) fn new(link: &Arc<Link>, request_id: RequestId) -> Self {
        Self {
            link: Arc::clone(link),
            request_id: Some(request_id),
        }
    }

    /// There is a result, or an error: nothing is left to give up.
    pub(super) fn disarm(mut self) {
        self.request_id = None;
    }
}

impl Drop for Abandon {
    fn drop(&mut self) {
        if let Some(request_id) = self.request_id.take() {
            self.link.cancels.push(request_id);
        }
    }
}
