//! Model, GPUs and port of a plan.

use std::path::Path;

use super::layout::Layout;

/// Model, GPUs and port of a plan.
#[derive(Debug)]
pub(super) struct Deployment {
    /// Name of the model, as it was given.
    pub(super) name: String,
    /// The model as the server reads it: a folder by its absolute path.
    pub(super) model: String,
    pub(super) layout: Layout,
    /// Port of the API, if it is not that of the server.
    pub(super) port: Option<u16>,
}

impl Deployment {
    /// A note if the model is a folder of this machine.
    pub(super) fn folder_note(&self) -> Option<String> {
        let note = "the folder of the model must have the same path on every machine of the server";
        Path::new(&self.model).is_dir().then(|| note.to_owned())
    }
}
