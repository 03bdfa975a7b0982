//! Answers of the Hub to requests that write.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::digested::Digested;

/// How the Hub wants a file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    pub(super) path: String,
    upload_mode: String,
    #[serde(default)]
    should_ignore: bool,
    /// Hash of the content that the repository has under this path.
    oid: Option<String>,
}

impl Wanted {
    pub(super) fn is_large(&self) -> bool {
        self.upload_mode == "lfs"
    }

    pub(super) fn is_ignored(&self) -> bool {
        self.should_ignore
    }

    pub(super) fn has(&self, file: &Digested) -> bool {
        let oid = self.oid.as_deref();
        oid == Some(&file.sha256) || oid == Some(&file.git)
    }
}

/// How the Hub wants the files of a commit.
#[derive(Deserialize)]
pub(super) struct Preupload {
    pub(super) files: Vec<Wanted>,
}

/// The answer about large files.
#[derive(Deserialize)]
pub(super) struct Batch {
    pub(super) objects: Vec<Object>,
}

/// The answer about one of them.
#[derive(Deserialize)]
pub(super) struct Object {
    pub(super) actions: Option<Actions>,
    pub(super) error: Option<ObjectError>,
}

/// Why a file is refused.
#[derive(Deserialize)]
pub(super) struct ObjectError {
    #[serde(default)]
    pub(super) message: String,
}

/// The requests that transfer a large file.
#[derive(Debug, Deserialize)]
pub(super) struct Actions {
    pub(super) upload: Option<Action>,
    pub(super) verify: Option<Action>,
}

/// One of them. The address may be signed, and then is a secret.
#[derive(Deserialize)]
pub(super) struct Action {
    pub(super) href: String,
    #[serde(default)]
    pub(super) header: BTreeMap<String, Value>,
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Action").finish_non_exhaustive()
    }
}

/// A repository.
#[derive(Deserialize)]
pub(super) struct CreatedRepository {
    pub(super) url: String,
}

/// A commit.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Committed {
    pub(super) commit_oid: String,
}
