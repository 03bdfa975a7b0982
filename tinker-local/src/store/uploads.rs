//! Files of adapters that are being uploaded.

use std::path::{Path, PathBuf};

use super::file::{CONFIG, WEIGHTS};
use super::peft::ReadConfig;
use super::{Store, StoreError, disk, foreign, tensors};
use tinker_engine::backend::{AdapterSpec, AdapterState};

/// The files of an uploaded adapter.
pub(crate) const UPLOADED: [&str; 2] = [CONFIG, WEIGHTS];

impl Store {
    /// Empties the folder of uploads. Its files belong to a process that is gone.
    pub(super) fn clear_uploads(&self) -> Result<(), StoreError> {
        let folder = self.uploads();
        disk::remove_all(&folder).map_err(StoreError::io("remove", &folder))
    }

    /// Stores a file of an upload. `upload` is an id that this engine has drawn, `file` one of [`UPLOADED`].
    pub(crate) fn put_upload(
        &self,
        upload: &str,
        file: &str,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let folder = self.uploads().join(upload);
        disk::make_folder(&folder).map_err(StoreError::io("make folder", &folder))?;
        let path = folder.join(file);
        disk::remove_all(&path).map_err(StoreError::io("remove", &path))?;
        disk::write_file(&path, bytes).map_err(StoreError::io("write", &path))
    }

    /// Reads the adapter of an upload; `Err` with the reason if its files do not hold one.
    pub(crate) fn read_upload(
        &self,
        upload: &str,
        spec: &AdapterSpec,
    ) -> Result<AdapterState, String> {
        let folder = self.uploads().join(upload);
        let read = |name: &str| {
            disk::read_file(&folder.join(name)).map_err(|error| format!("{name}: {error}"))
        };
        let config: ReadConfig =
            serde_json::from_slice(&read(CONFIG)?).map_err(|error| format!("{CONFIG}: {error}"))?;
        let tensors = tensors::decode_adapter(&read(WEIGHTS)?, Path::new(WEIGHTS))?;
        let (alpha, tensors) = foreign::unify(&config, tensors, spec.rank)?;
        for (wanted, part, option) in [
            (spec.attention, ".self_attn.", "train_attn"),
            (spec.mlp, ".mlp.", "train_mlp"),
            (spec.unembed, "lm_head", "train_unembed"),
        ] {
            if wanted && !tensors.iter().any(|tensor| tensor.name.contains(part)) {
                return Err(format!(
                    "{option} is on, but the adapter has no such modules"
                ));
            }
        }
        Ok(AdapterState {
            spec: spec.clone(),
            alpha,
            tensors,
            optimizer: None,
        })
    }

    /// Removes the files of an upload.
    pub(crate) fn remove_upload(&self, upload: &str) {
        let folder = self.uploads().join(upload);
        if let Err(error) = disk::remove_all(&folder) {
            tracing::warn!(%error, folder = %folder.display(), "the files of an upload could not be removed");
        }
    }

    fn uploads(&self) -> PathBuf {
        self.root().join("uploads")
    }
}
