//! `checkpoint.json`: the record of a checkpoint.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tinker_types::{CheckpointKind, CheckpointPath};

use super::StoreError;
use crate::clock;
use crate::tenant::Owner;
use tinker_engine::backend::AdapterSpec;

/// Version of the layout. Folders of another version are ignored.
pub(super) const LAYOUT: u32 = 1;

/// A checkpoint to be written.
#[derive(Debug, Clone)]
pub(crate) struct NewCheckpoint {
    pub(crate) path: CheckpointPath,
    pub(crate) base_model: String,
    /// Folder of the base model, so that PEFT finds it.
    pub(crate) base_folder: Option<std::path::PathBuf>,
    /// Digest by which its weights are recognized.
    pub(crate) base_fingerprint: Option<String>,
    pub(crate) overwrite: bool,
    pub(crate) lifetime: Option<std::time::Duration>,
    pub(crate) user_metadata: BTreeMap<String, String>,
    /// It was uploaded: an external checkpoint that can be loaded.
    pub(crate) uploaded: bool,
    /// Owner of its session.
    pub(crate) owner: Option<Owner>,
}

impl NewCheckpoint {
    /// Name by which PEFT loads the base model: its folder, if it has one.
    pub(super) fn base_name(&self) -> String {
        let folder = self.base_folder.as_ref();
        folder.map_or_else(
            || self.base_model.clone(),
            |folder| folder.display().to_string(),
        )
    }

    /// Whether the optimizer's state is saved, as only checkpoints to train on from have it.
    pub(crate) fn with_optimizer(&self) -> bool {
        self.path.kind() == CheckpointKind::Training
    }
}

/// Record of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(super) layout: u32,
    pub(crate) path: CheckpointPath,
    pub(crate) base_model: String,
    /// Digest by which the weights of the base model are recognized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base_fingerprint: Option<String>,
    pub(crate) created: Timestamp,
    #[serde(default)]
    pub(crate) expires: Option<Timestamp>,
    /// Marked as public: readable by all tenants.
    #[serde(default)]
    pub(crate) public: bool,
    #[serde(default)]
    pub(crate) user_metadata: BTreeMap<String, String>,
    /// It was uploaded: an external checkpoint that can be loaded.
    #[serde(default)]
    pub(super) uploaded: bool,
    /// The API key of its session. Without one, it belongs to everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<Owner>,
    #[serde(with = "AdapterShape")]
    pub(crate) adapter: AdapterSpec,
    /// Sizes of the other files in bytes, by name.
    pub(super) files: BTreeMap<String, u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "AdapterSpec")]
struct AdapterShape {
    rank: usize,
    seed: u64,
    attention: bool,
    mlp: bool,
    unembed: bool,
}

impl Record {
    pub(super) fn new(
        checkpoint: &NewCheckpoint,
        adapter: &AdapterSpec,
        files: BTreeMap<String, u64>,
    ) -> Self {
        Self {
            layout: LAYOUT,
            path: checkpoint.path.clone(),
            base_model: checkpoint.base_model.clone(),
            base_fingerprint: checkpoint.base_fingerprint.clone(),
            created: clock::calendar(),
            expires: checkpoint.lifetime.map(clock::calendar_after),
            public: false,
            user_metadata: checkpoint.user_metadata.clone(),
            uploaded: checkpoint.uploaded,
            owner: checkpoint.owner.clone(),
            adapter: adapter.clone(),
            files,
        }
    }

    /// Size of all files in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.files.values().sum()
    }

    /// Names of the files, without the record.
    pub(crate) fn file_names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Checks that the names in the record are plain file names: the folder may come from anywhere.
    pub(super) fn is_sound(&self) -> bool {
        let plain = |name: &str| {
            let mut parts = std::path::Path::new(name).components();
            matches!(parts.next(), Some(std::path::Component::Normal(part)) if part == name)
        };
        self.layout == LAYOUT
            && plain(self.path.run().as_str())
            && plain(self.path.name())
            && self.files.keys().all(|name| plain(name))
    }

    pub(super) fn has_expired(&self) -> bool {
        self.expires.is_some_and(|at| at <= clock::calendar())
    }

    /// Refuses files that were saved for use elsewhere.
    pub(crate) fn check_loadable(&self) -> Result<(), StoreError> {
        if self.path.kind() != CheckpointKind::External || self.uploaded {
            return Ok(());
        }
        Err(StoreError::Unfit {
            path: self.path.clone(),
            why: "holds files for use elsewhere; give one saved for training or sampling"
                .to_owned(),
        })
    }

    /// Refuses a base model with other weights than those that the adapter was trained on. Of older checkpoints and the
    /// built-in model they are not known.
    pub(crate) fn check_base_weights(&self, found: Option<&str>) -> Result<(), StoreError> {
        match (&self.base_fingerprint, found) {
            (Some(expected), Some(found)) if expected != found => Err(StoreError::Unfit {
                path: self.path.clone(),
                why: format!(
                    "was trained on a model {:?} with other weights than the one here; give it the folder that it was \
                     trained on",
                    self.base_model
                ),
            }),
            _ => Ok(()),
        }
    }

    pub(crate) fn check_base_model(&self, served: &str) -> Result<(), StoreError> {
        if self.base_model == served {
            return Ok(());
        }
        let why = format!(
            "is of base model {:?}, this engine serves {served:?}",
            self.base_model
        );
        Err(StoreError::Unfit {
            path: self.path.clone(),
            why,
        })
    }
}
