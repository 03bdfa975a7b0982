//! A saved adapter, on its way out.

use std::fs;
use std::path::{Path, PathBuf};

use tinker_types::CheckpointPath;

use super::{Base, ExportError, Exported, Output};
use crate::folder::{ModelFolder, Storage};
use crate::store::{Saved, StoreError};

/// An adapter in the data folder of an engine, which may run meanwhile.
///
/// ```
/// use tinker_local::{Base, Output, SavedAdapter};
///
/// # fn export(data_dir: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
/// let saved = SavedAdapter::open(data_dir, &"tinker://s-1:train:0/weights/final".parse()?)?;
/// saved.write_peft(&Output::new("my-adapter"))?;
/// let base = saved.base(None);
/// saved.write_merged(&base, None, &Output::new("my-model"))?;
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
    /// There is none of this path, or it can't be read.
    pub fn open(data_dir: impl AsRef<Path>, path: &CheckpointPath) -> Result<Self, StoreError> {
        let saved = Saved::open(data_dir.as_ref(), path)?;
        let base_name = saved.base_name()?;
        Ok(Self { saved, base_name })
    }

    /// The name of its base model.
    pub fn base_model(&self) -> &str {
        &self.saved.record.base_model
    }

    /// The folder of its base model when it was trained; `None` for the built-in one.
    pub fn base_folder(&self) -> Option<PathBuf> {
        Some(PathBuf::from(&self.base_name)).filter(|path| path.is_absolute())
    }

    /// LoRA rank.
    pub fn rank(&self) -> usize {
        self.saved.record.adapter.rank
    }

    /// Its base model: from `folder`, if that is given because it has moved, else from where it was.
    pub fn base(&self, folder: Option<&Path>) -> Base {
        let folder = folder.map(Path::to_owned).or_else(|| self.base_folder());
        folder.map_or(Base::Builtin, |folder| {
            Base::Folder(ModelFolder::new(folder))
        })
    }

    /// Writes `adapter_config.json` and `adapter_model.safetensors`, as Python's `peft` loads them.
    ///
    /// # Errors
    /// The checkpoint is damaged, or the output can't be written or would write over something.
    pub fn write_peft(&self, output: &Output) -> Result<Exported, ExportError> {
        let files = self.saved.peft()?;
        output.write(|folder| {
            for (name, bytes) in &files {
                let path = folder.join(name);
                fs::write(&path, bytes).map_err(ExportError::io("write", &path))?;
            }
            Ok(())
        })
    }

    /// Writes the base model with the adapter added to its weights: `config.json`, `model.safetensors` and the base's
    /// tokenizer, as `transformers` and this engine load them. Numbers are stored as `storage` or, unless one is given,
    /// as the base's are; sums are in f32 and rounded once.
    ///
    /// A model whose head is tied to its embedding gets a head of its own if the adapter acts on the head, and its
    /// configuration says so: the adapter changes what is read off the head, not what is looked up. Python's
    /// `merge_and_unload` changes both unless the model is untied first.
    ///
    /// # Errors
    /// The checkpoint or the base can't be read, they do not belong together, or the output can't be written.
    pub fn write_merged(
        &self,
        base: &Base,
        storage: Option<Storage>,
        output: &Output,
    ) -> Result<Exported, ExportError> {
        base.write_with(Some(&self.saved.state()?), storage, output)
    }
}
