//! Uploads of adapters.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tinker_engine::backend::AdapterSpec;
use tinker_types::CheckpointPath;

use super::model::BaseId;
use crate::tenant::Tenant;

/// Most uploads at a time.
const MOST: usize = 16;

/// An upload that was started.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) base: BaseId,
    pub(crate) spec: AdapterSpec,
    pub(crate) project_id: Option<String>,
    pub(crate) tenant: Tenant,
    /// When its URLs expire.
    pub(crate) expires: Timestamp,
    /// The checkpoint, once it is finished.
    pub(crate) path: Option<CheckpointPath>,
}

/// The uploads that were started and have not expired.
#[derive(Debug, Default)]
pub(crate) struct Uploads(BTreeMap<String, Upload>);

impl Uploads {
    /// Adds an upload; `false` if there are too many.
    pub(crate) fn add(&mut self, id: String, upload: Upload) -> bool {
        let has_room = self.0.len() < MOST;
        if has_room {
            self.0.insert(id, upload);
        }
        has_room
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Upload> {
        self.0.get(id)
    }

    /// Notes the checkpoint of an upload, so that a repeated request has the same result.
    pub(crate) fn finish(&mut self, id: &str, path: CheckpointPath) {
        if let Some(upload) = self.0.get_mut(id) {
            upload.path = Some(path);
        }
    }

    /// Removes the uploads that have expired and returns their ids.
    pub(crate) fn take_expired(&mut self, now: Timestamp) -> Vec<String> {
        let expired = self.0.extract_if(.., |_, upload| upload.expires <= now);
        expired.map(|(id, _)| id).collect()
    }
}
