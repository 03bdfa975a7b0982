//! Under which name to save, and for how long.

use std::collections::BTreeMap;
use std::time::Duration;

/// Under which name to save, and for how long. A name alone will do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SaveOptions {
    /// Name of the checkpoint: one path segment.
    pub name: String,
    /// Time until it is deleted, in whole seconds; `None`, it stays. The hosted service takes one
    /// hour to ten years.
    pub ttl: Option<Duration>,
    /// Replace a checkpoint of the same name. Default false: a taken name is an error. Only for
    /// training checkpoints.
    pub overwrite: bool,
    /// Notes kept with it.
    pub user_metadata: BTreeMap<String, String>,
}

impl SaveOptions {
    /// Saves under a name, for good.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Sets the time until it is deleted.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Sets [`Self::overwrite`].
    #[must_use]
    pub fn with_overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Adds a note.
    #[must_use]
    pub fn with_user_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.user_metadata.insert(key.into(), value.into());
        self
    }
}

impl From<&str> for SaveOptions {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for SaveOptions {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}
