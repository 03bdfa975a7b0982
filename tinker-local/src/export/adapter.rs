//! Export of a saved adapter.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tinker_engine::export::{BaseModelSource, ExportError, ExportTarget, Exported};
use tinker_engine::{ModelFolder, Storage};
use tinker_types::{CheckpointPath, LoraConfig};

use crate::store::{Saved, StoreError};

/// A saved adapter in the data folder of an engine. The engine may be running.
///
/// ```
/// use tinker_local::{ExportTarget, SavedAdapter};
///
/// # fn export(data_dir: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
/// let saved = SavedAdapter::open(data_dir, &"tinker://s-1:train:0/weights/final".parse()?)?;
/// saved.write_peft(&ExportTarget::new("my-adapter"))?;
/// let base = saved.base(None);
/// saved.write_merged(&base, None, &ExportTarget::new("my-model"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SavedAdapter {
    saved: Saved,
    base_name: String,
}

impl SavedAdapter {
    /// Finds a checkpoint.
    ///
    /// # Errors
    /// The checkpoint does not exist or cannot be read.
    pub fn open(data_dir: impl AsRef<Path>, path: &CheckpointPath) -> Result<Self, StoreError> {
        let saved = Saved::open(data_dir.as_ref(), path)?;
        let base_name = saved.base_name()?;
        Ok(Self { saved, base_name })
    }

    /// The checkpoints of a data folder: those of the run with the newest request first, and of a run the newest first.
    /// A folder that does not exist has none. Neither locks nor changes the folder; what cannot be read is left out.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn list(data_dir: impl AsRef<Path>) -> Result<Vec<Self>, StoreError> {
        let saved = Saved::list(data_dir.as_ref())?.into_iter();
        let open = |saved: Saved| {
            let base_name = saved.base_name().ok()?;
            Some(Self { saved, base_name })
        };
        Ok(saved.filter_map(open).collect())
    }

    /// Address of the checkpoint.
    pub fn path(&self) -> &CheckpointPath {
        &self.saved.record.path
    }

    /// Name of the base model.
    pub fn base_model(&self) -> &str {
        &self.saved.record.base_model
    }

    /// Folder of the base model at the time of training; `None` for the built-in one.
    pub fn base_folder(&self) -> Option<PathBuf> {
        Some(PathBuf::from(&self.base_name)).filter(|path| path.is_absolute())
    }

    /// LoRA rank.
    pub fn rank(&self) -> usize {
        self.saved.record.adapter.rank
    }

    /// Shape of the adapter. The seed is unset.
    pub fn lora_config(&self) -> LoraConfig {
        let shape = &self.saved.record.adapter;
        let rank = u32::try_from(shape.rank).unwrap_or(u32::MAX);
        let mut lora = LoraConfig::new(rank);
        lora.train_attn = shape.attention;
        lora.train_mlp = shape.mlp;
        lora.train_unembed = shape.unembed;
        lora
    }

    /// The contents of the files that [`write_peft`](Self::write_peft) writes, by name.
    ///
    /// # Errors
    /// The checkpoint is damaged.
    pub fn to_peft(&self) -> Result<BTreeMap<String, Vec<u8>>, ExportError> {
        let files = self.saved.peft().map_err(unreadable)?.into_iter();
        Ok(files
            .map(|(name, bytes)| (name.to_owned(), bytes))
            .collect())
    }

    /// The base model: from `folder`, if given because it has moved, else from the folder at the time of training.
    pub fn base(&self, folder: Option<&Path>) -> BaseModelSource {
        let folder = folder.map(Path::to_owned).or_else(|| self.base_folder());
        folder.map_or(BaseModelSource::Builtin, |folder| {
            BaseModelSource::Folder(ModelFolder::new(folder))
        })
    }

    /// Writes `adapter_config.json` and `adapter_model.safetensors` for Python's `peft`.
    ///
    /// # Errors
    /// The checkpoint is damaged, or the output can't be written or would write over something.
    pub fn write_peft(&self, output: &ExportTarget) -> Result<Exported, ExportError> {
        let files = self.saved.peft().map_err(unreadable)?;
        output.write(|folder| {
            for (name, bytes) in &files {
                let path = folder.join(name);
                fs::write(&path, bytes).map_err(|source| ExportError::Io {
                    doing: "write",
                    path,
                    source,
                })?;
            }
            Ok(())
        })
    }

    /// Writes the base model with the adapter merged into its weights: `config.json`, `model.safetensors` and the
    /// tokenizer, for `transformers` and this engine. Numbers are stored as `storage`, by default as in the base model;
    /// sums are computed in f32 and rounded once.
    ///
    /// If the head is tied to the embedding and the adapter acts on the head, the merged model gets a separate head, and
    /// its configuration is changed accordingly: the adapter applies to the head only. Python's `merge_and_unload`
    /// changes both unless the model is untied first.
    ///
    /// # Errors
    /// The checkpoint or the base can't be read, they do not belong together, or the output can't be written.
    pub fn write_merged(
        &self,
        base: &BaseModelSource,
        storage: Option<Storage>,
        output: &ExportTarget,
    ) -> Result<Exported, ExportError> {
        if let BaseModelSource::Folder(folder) = base {
            let found = folder.fingerprint()?;
            let record = &self.saved.record;
            record
                .check_base_weights(Some(&found))
                .map_err(unreadable)?;
        }
        let state = self.saved.state().map_err(unreadable)?;
        base.write_merged(&state, storage, output)
    }
}

fn unreadable(error: StoreError) -> ExportError {
    ExportError::Checkpoint(Box::new(error))
}
