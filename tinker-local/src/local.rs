//! Handle to an engine.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tinker_engine::backend::{BackendError, BaseModelInfo};
use tinker_types::{SampleRequest, SessionId, SessionStatus};

use crate::service::LocalService;
use crate::shared::Shared;
use crate::state::BaseId;
use crate::{Behavior, SampleStream, api};

/// A handle to an engine. Cheap to clone. The engine stops when the last handle and the last service are dropped, after
/// the running operation and pending checkpoint writes.
#[derive(Clone)]
pub struct LocalEngine {
    pub(crate) shared: Arc<Shared>,
    pub(crate) data_dir: Arc<Path>,
}

impl LocalEngine {
    /// The engine as a service.
    pub fn service(&self) -> LocalService {
        LocalService::new(Arc::clone(&self.shared))
    }

    /// Changes the behavior towards clients, from the next request on. Polls that wait because of [`Behavior::queue`]
    /// check it again at once.
    pub fn behave(&self, change: impl FnOnce(&mut Behavior)) {
        change(&mut self.shared.behavior());
        self.shared.behavior_changed.notify_waiters();
    }

    /// Ends a session as if it had timed out.
    pub fn expire_session(&self, session: &SessionId) {
        let detail = Some("it was ended by the engine's owner".to_owned());
        self.shared
            .operations
            .end_session(session, SessionStatus::Cancelled { detail });
    }

    /// Draws a sample and streams its tokens. The sampler must have been created by a client of this engine.
    ///
    /// # Errors
    /// The request is invalid for `asample`, or its number was used before.
    pub fn stream(&self, request: &SampleRequest) -> Result<SampleStream, BackendError> {
        api::watched(&self.shared.operations, request, 0).map_err(Into::into)
    }

    /// The base model, or the first one if there are several.
    ///
    /// # Panics
    /// Never: an engine has at least one model.
    pub fn model(&self) -> &BaseModelInfo {
        self.shared.operations.info(BaseId(0))
    }

    /// The base models.
    pub fn models(&self) -> impl Iterator<Item = &BaseModelInfo> {
        self.shared.operations.models()
    }

    /// The folder of the checkpoints.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }
}

impl fmt::Debug for LocalEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalEngine")
            .field("model", &self.model().name)
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}
