//! Checkpoints as the server lists them, and what can be done with one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::{serde_as, skip_serializing_none};

use crate::time::Iso8601;
use crate::wire::{Endpoint, Method, endpoint};
use crate::{AccessToken, CheckpointKind, CheckpointPath, Cursor, ModelId};

/// What a listed checkpoint is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CheckpointType {
    /// To train on from.
    Training,
    /// To sample from.
    Sampler,
    /// Files for use elsewhere.
    External,
}

impl From<CheckpointKind> for CheckpointType {
    fn from(kind: CheckpointKind) -> Self {
        match kind {
            CheckpointKind::Training => Self::Training,
            CheckpointKind::Sampler => Self::Sampler,
            CheckpointKind::External => Self::External,
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
    /// What it is for.
    pub checkpoint_type: CheckpointType,
    /// When it was saved.
    #[serde_as(as = "Iso8601")]
    pub time: Timestamp,
    /// Where it is.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub tinker_path: CheckpointPath,
    /// Size of its files.
    #[serde(default)]
    pub size_bytes: Option<u64>,
    /// Anybody may read it.
    #[serde(default)]
    pub public: bool,
    /// Notes kept with it.
    #[serde(default)]
    pub user_metadata: Option<BTreeMap<String, String>>,
    /// When it will be deleted; `None` for never.
    #[serde_as(as = "Option<Iso8601>")]
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

impl Checkpoint {
    /// A private checkpoint that stays.
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
        }
    }
}

/// A list of checkpoints.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Checkpoints {
    /// The checkpoints of this page.
    pub checkpoints: Vec<Checkpoint>,
    /// Which page; lists of one run come whole and have none.
    #[serde(default)]
    pub cursor: Option<Cursor>,
}

/// Where the files of an external checkpoint can be fetched.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ExternalWeightsUrls {
    /// Signed URL of each file, by its path within the checkpoint.
    pub urls: BTreeMap<String, String>,
    /// When the URLs stop working.
    #[serde_as(as = "Iso8601")]
    pub expires: Timestamp,
}

impl ExternalWeightsUrls {
    /// URLs that work until `expires`.
    pub fn new(urls: BTreeMap<String, String>, expires: Timestamp) -> Self {
        Self { urls, expires }
    }
}

/// Where all files of a checkpoint can be fetched in one piece, a tar archive.
///
/// Older servers answer with a redirect there instead, whose `Expires` says when it ends.
#[skip_serializing_none]
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CheckpointArchiveUrl {
    /// Signed URL, which needs no key. Who has it has the files.
    pub url: String,
    /// When it stops working, where the server says: minutes from now.
    #[serde(default)]
    #[serde_as(as = "Option<Iso8601>")]
    pub expires: Option<Timestamp>,
}

impl CheckpointArchiveUrl {
    /// A URL that works until `expires`.
    pub fn new(url: impl Into<String>, expires: Option<Timestamp>) -> Self {
        let url = url.into();
        Self { url, expires }
    }
}

/// Lists the checkpoints of one training run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListRunCheckpoints {
    /// The run; part of the path.
    #[serde(skip)]
    pub training_run_id: ModelId,
}

impl Endpoint for ListRunCheckpoints {
    type Response = Checkpoints;
    const NAME: &'static str = "list_checkpoints";
    const METHOD: Method = Method::Get;
    const ROUTE: &'static str = "training_runs/{run}/checkpoints";
    fn parameters(&self) -> Vec<&str> {
        vec![self.training_run_id.as_str()]
    }
}

/// Lists one's checkpoints, a page at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ListCheckpoints {
    /// Most entries of the page. The official client asks for 100.
    pub limit: u64,
    /// Entries before it.
    pub offset: u64,
}

impl Endpoint for ListCheckpoints {
    type Response = Checkpoints;
    const NAME: &'static str = "list_user_checkpoints";
    const METHOD: Method = Method::Get;
    const ROUTE: &'static str = "checkpoints";
    fn query(&self) -> Vec<(&'static str, String)> {
        vec![
            ("limit", self.limit.to_string()),
            ("offset", self.offset.to_string()),
        ]
    }
}

/// Values of the placeholders in the routes of one checkpoint.
fn parts(path: &CheckpointPath) -> Vec<&str> {
    vec![path.run().as_str(), path.kind().as_str(), path.name()]
}

macro_rules! on_checkpoint {
    ($($(#[$doc:meta])* $name:ident: $method:ident $route:literal as $operation:literal => $response:ty;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        pub struct $name {
            /// Which checkpoint; part of the path.
            #[serde(skip)]
            pub path: CheckpointPath,
        }

        impl Endpoint for $name {
            type Response = $response;
            const NAME: &'static str = $operation;
            const METHOD: Method = Method::$method;
            const ROUTE: &'static str = $route;
            fn parameters(&self) -> Vec<&str> {
                parts(&self.path)
            }
        }
    )*};
}

on_checkpoint! {
    /// Deletes a checkpoint.
    DeleteCheckpoint: Delete "training_runs/{run}/checkpoints/{kind}/{name}"
        as "delete_checkpoint" => serde::de::IgnoredAny;
    /// Lets anybody read a checkpoint.
    PublishCheckpoint: Post "training_runs/{run}/checkpoints/{kind}/{name}/publish"
        as "publish_checkpoint" => serde::de::IgnoredAny;
    /// Takes that back.
    UnpublishCheckpoint: Delete "training_runs/{run}/checkpoints/{kind}/{name}/publish"
        as "unpublish_checkpoint" => serde::de::IgnoredAny;
    /// Asks where the files of an external checkpoint can be fetched.
    GetExternalWeightsUrls: Get "training_runs/{run}/checkpoints/{kind}/{name}/external_weights_urls"
        as "get_external_weights_urls" => ExternalWeightsUrls;
    /// Asks where all files of a checkpoint can be fetched in one piece. Clients before version 0.36 do.
    GetCheckpointArchiveUrl: Get "training_runs/{run}/checkpoints/{kind}/{name}/archive"
        as "get_checkpoint_archive_url" => CheckpointArchiveUrl;
}

/// Sets when a checkpoint is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetCheckpointTtl {
    /// Which checkpoint; part of the path.
    #[serde(skip)]
    pub path: CheckpointPath,
    /// Seconds from now; `None` keeps it for good.
    pub ttl_seconds: Option<u64>,
}

impl Endpoint for SetCheckpointTtl {
    type Response = serde::de::IgnoredAny;
    const NAME: &'static str = "set_checkpoint_ttl";
    const METHOD: Method = Method::Put;
    const ROUTE: &'static str = "training_runs/{run}/checkpoints/{kind}/{name}/ttl";
    fn parameters(&self) -> Vec<&str> {
        parts(&self.path)
    }
}

/// Copies a checkpoint into a project.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CopyWeights {
    /// The project.
    #[serde(default)]
    pub destination_project_id: Option<String>,
    /// `tinker://` path of the checkpoint.
    pub source_path: String,
    /// Seconds until the copy is deleted; unset, it stays.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// Credential for somebody else's checkpoint; travels as a header.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub weights_access_token: Option<AccessToken>,
}

impl CopyWeights {
    /// A copy that stays.
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
    /// Where the copy is.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub tinker_path: CheckpointPath,
}
