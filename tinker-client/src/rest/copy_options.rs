//! Options of a copy.

use std::time::Duration;

use tinker_types::{AccessToken, CheckpointPath};

/// Options of a copy: which checkpoint to copy, and into which project. A path converts into options.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyOptions {
    /// The checkpoint.
    pub path: CheckpointPath,
    /// The project of the copy. Default: the project of [`Config`](crate::Config).
    pub project_id: Option<String>,
    /// Time until the copy is deleted, in whole seconds. Default: never.
    pub ttl: Option<Duration>,
    /// Access token for the checkpoint of another owner. Sent as a header.
    pub access_token: Option<AccessToken>,
}

impl CopyOptions {
    /// A permanent copy of the checkpoint at `path`.
    pub fn new(path: CheckpointPath) -> Self {
        Self {
            path,
            project_id: None,
            ttl: None,
            access_token: None,
        }
    }

    tinker_types::setters! {
        /// Sets the project.
        with_project_id(project_id: impl Into<String>) => project_id = Some(project_id.into());

        /// Sets the time until the copy is deleted.
        with_ttl(ttl: Duration) => ttl = Some(ttl);

        /// Sets the access token for the checkpoint of another owner.
        with_access_token(token: impl Into<String>) => access_token = Some(AccessToken::new(token));
    }
}

impl From<CheckpointPath> for CopyOptions {
    fn from(path: CheckpointPath) -> Self {
        Self::new(path)
    }
}

impl From<&CheckpointPath> for CopyOptions {
    fn from(path: &CheckpointPath) -> Self {
        Self::new(path.clone())
    }
}
