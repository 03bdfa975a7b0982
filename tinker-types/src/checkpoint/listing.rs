//! Checkpoints as lists show them, and operations on them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::{serde_as, skip_serializing_none};

use crate::time::Iso8601;
use crate::wire::endpoint;
use crate::{AccessToken, CheckpointKind, CheckpointPath, Cursor, ModelId};

/// Purpose of a listed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CheckpointType {
    /// Training continues from it.
    Training,
    /// Samplers use it.
    Sampler,
    /// Files for use elsewhere.
    External,
    /// A purpose that this version does not know, as the server names it.
    #[serde(untagged)]
    Other(String),
}

impl CheckpointType {
    /// The name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Training => "training",
            Self::Sampler => "sampler",
            Self::External => "external",
            Self::Other(name) => name,
        }
    }
}

impl From<CheckpointKind> for CheckpointType {
    fn from(kind: CheckpointKind) -> Self {
        match kind {
            CheckpointKind::Training => Self::Training,
            CheckpointKind::Sampler => Self::Sampler,
            CheckpointKind::External => Self::External,
            CheckpointKind::Other => Self::Other(kind.as_str().to_owned()),
        }
    }
}

/// A checkpoint.
#[serde_as]
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Checkpoint {
    /// `<kind>/<name>`, unique within its run.
    pub checkpoint_id: String,
    /// Purpose of the checkpoint.
    pub checkpoint_type: CheckpointType,
    /// Time of the save.
    #[serde_as(as = "Iso8601")]
    pub time: Timestamp,
    /// Address of the checkpoint.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub tinker_path: CheckpointPath,
    /// Total size of its files in bytes.
    #[serde(default)]
    pub size_bytes: Option<u64>,
    /// Whether all users may read it.
    #[serde(default)]
    pub public: bool,
    /// Metadata of the checkpoint. Values that are not texts are read as their JSON.
    #[serde(default, deserialize_with = "crate::metadata::texts")]
    pub user_metadata: Option<BTreeMap<String, String>>,
    /// Time of deletion; `None` if it is kept.
    #[serde_as(as = "Option<Iso8601>")]
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// Name of the base model, from servers of newer versions of the API.
    #[serde(default)]
    pub base_model: Option<String>,
}

impl Checkpoint {
    /// A private checkpoint without an expiry time.
    pub fn new(tinker_path: CheckpointPath, time: Timestamp) -> Self {
        Self {
            checkpoint_id: tinker_path.id(),
            checkpoint_type: tinker_path.kind().into(),
            time,
            tinker_path,
            size_bytes: None,
            public: false,
            user_metadata: None,
            expires_at: None,
            base_model: None,
        }
    }
}

/// A list of checkpoints.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Checkpoints {
    /// Checkpoints of this page.
    pub checkpoints: Vec<Checkpoint>,
    /// Position of the page; `None` for the list of one run, which has no pages.
    #[serde(default)]
    pub cursor: Option<Cursor>,
}

/// Links to the files of an external checkpoint.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ExternalWeightsUrls {
    /// Signed URL of each file, by its path within the checkpoint.
    pub urls: BTreeMap<String, String>,
    /// Time at which the URLs expire.
    #[serde_as(as = "Iso8601")]
    pub expires: Timestamp,
}

impl ExternalWeightsUrls {
    /// URLs that expire at `expires`.
    pub fn new(urls: BTreeMap<String, String>, expires: Timestamp) -> Self {
        Self { urls, expires }
    }
}

/// Link to all files of a checkpoint as one tar archive.
///
/// Older servers redirect there instead, with the time of expiry in `Expires`.
#[skip_serializing_none]
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CheckpointArchiveUrl {
    /// Signed URL, which needs no key. Treat it as a secret.
    pub url: String,
    /// Time at which the URL expires, if the server reports it: usually in a few minutes.
    #[serde(default)]
    #[serde_as(as = "Option<Iso8601>")]
    pub expires: Option<Timestamp>,
}

impl CheckpointArchiveUrl {
    /// A URL that expires at `expires`.
    pub fn new(url: impl Into<String>, expires: Option<Timestamp>) -> Self {
        let url = url.into();
        Self { url, expires }
    }
}

/// Lists the checkpoints of one training run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListRunCheckpoints {
    /// Id of the run; part of the path.
    #[serde(skip)]
    pub training_run_id: ModelId,
}

endpoint!(
    ListRunCheckpoints => Checkpoints,
    Get "training_runs/{run}/checkpoints" as "list_checkpoints",
    parameters(this) vec![this.training_run_id.as_str()]
);

/// Lists the user's checkpoints, a page at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ListCheckpoints {
    /// Largest number of entries in the page. The official client requests 100.
    pub limit: u64,
    /// Number of entries before the page.
    pub offset: u64,
}

endpoint!(
    ListCheckpoints => Checkpoints,
    Get "checkpoints" as "list_user_checkpoints",
    query(this) vec![
        ("limit", this.limit.to_string()),
        ("offset", this.offset.to_string()),
    ]
);

/// Values of the placeholders in the routes of one checkpoint.
fn parts(path: &CheckpointPath) -> Vec<&str> {
    vec![path.run().as_str(), path.kind_str(), path.name()]
}

macro_rules! on_checkpoint {
    ($($(#[$doc:meta])* $name:ident: $method:ident $route:literal as $operation:literal => $response:ty;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        pub struct $name {
            /// Address of the checkpoint; part of the path.
            #[serde(skip)]
            pub path: CheckpointPath,
        }

        endpoint!($name => $response, $method $route as $operation, parameters(this) parts(&this.path));
    )*};
}

on_checkpoint! {
    /// Deletes a checkpoint.
    DeleteCheckpoint: Delete "training_runs/{run}/checkpoints/{kind}/{name}"
        as "delete_checkpoint" => serde::de::IgnoredAny;
    /// Makes a checkpoint readable for all users.
    PublishCheckpoint: Post "training_runs/{run}/checkpoints/{kind}/{name}/publish"
        as "publish_checkpoint" => serde::de::IgnoredAny;
    /// Makes a published checkpoint private again.
    UnpublishCheckpoint: Delete "training_runs/{run}/checkpoints/{kind}/{name}/publish"
        as "unpublish_checkpoint" => serde::de::IgnoredAny;
    /// Requests links to the files of an external checkpoint.
    GetExternalWeightsUrls: Get "training_runs/{run}/checkpoints/{kind}/{name}/external_weights_urls"
        as "get_external_weights_urls" => ExternalWeightsUrls;
    /// Requests a link to all files of a checkpoint as one archive. Used by clients before version 0.36.
    GetCheckpointArchiveUrl: Get "training_runs/{run}/checkpoints/{kind}/{name}/archive"
        as "get_checkpoint_archive_url" => CheckpointArchiveUrl;
}

/// Sets the time of deletion of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetCheckpointTtl {
    /// Address of the checkpoint; part of the path.
    #[serde(skip)]
    pub path: CheckpointPath,
    /// Seconds from now; `None` keeps it.
    pub ttl_seconds: Option<u64>,
}

endpoint!(
    SetCheckpointTtl => serde::de::IgnoredAny,
    Put "training_runs/{run}/checkpoints/{kind}/{name}/ttl" as "set_checkpoint_ttl",
    parameters(this) parts(&this.path)
);

/// Copies a checkpoint into a project.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CopyWeights {
    /// Id of the project.
    #[serde(default)]
    pub destination_project_id: Option<String>,
    /// `tinker://` path of the checkpoint.
    pub source_path: String,
    /// Seconds until the copy is deleted; unset, it is kept.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// Credential for a checkpoint of another user; sent as a header.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub weights_access_token: Option<AccessToken>,
}

impl CopyWeights {
    /// A copy without an expiry time.
    pub fn new(source: &CheckpointPath, destination_project_id: impl Into<String>) -> Self {
        Self {
            destination_project_id: Some(destination_project_id.into()),
            source_path: source.to_string(),
            ttl_seconds: None,
            weights_access_token: None,
        }
    }
}

endpoint!(CopyWeights => WeightsCopied, "copy_weights");

/// A copied checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WeightsCopied {
    /// Address of the copy.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub tinker_path: CheckpointPath,
}
