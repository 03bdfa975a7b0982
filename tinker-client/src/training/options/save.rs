//! Options of a save.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

/// Options of a save. A name converts into options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SaveOptions {
    /// Name of the checkpoint: one path segment.
    pub name: String,
    /// Time until it is deleted, in whole seconds. Default: never. The hosted service accepts one hour to ten years.
    pub ttl: Option<Duration>,
    /// Whether a checkpoint of the same name is replaced. Default false: a taken name is an error. Training checkpoints
    /// only.
    pub overwrite: bool,
    /// Metadata stored with the checkpoint.
    pub user_metadata: BTreeMap<String, String>,
    /// Additional fields of the request body, for fields that this type does not have. Default: none.
    pub extra: Map<String, Value>,
}

impl SaveOptions {
    /// A permanent save under a name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    tinker_types::setters! {
        /// Sets the time until it is deleted.
        with_ttl(ttl: Duration) => ttl = Some(ttl);

        /// Sets [`Self::overwrite`].
        with_overwrite(overwrite: bool) => overwrite = overwrite;

        /// Adds metadata.
        with_user_metadata(key: impl Into<String>, value: impl Into<String>) => user_metadata.insert(key.into(), value.into());

        /// Adds a field to the request body, for fields that this type does not have.
        with_extra(name: impl Into<String>, value: impl Into<Value>) => extra.insert(name.into(), value.into());
    }
}

impl<N: Into<String>> From<N> for SaveOptions {
    fn from(name: N) -> Self {
        Self::new(name)
    }
}
