//! Export of a base model, with or without an adapter.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::error::ExportError;
use super::merge::Merge;
use super::output::{ExportTarget, Exported};
use crate::backend::AdapterState;
use crate::folder::{FolderError, ModelFolder, Storage, absolute, read_json};
#[cfg(feature = "base-model")]
use crate::folder::{byte_level_tokenizer, tokenizer_config};
use crate::model::{ModelConfig, TensorSource};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const GENERATION: &str = "generation_config.json";

/// Files of a model besides its configuration and weights.
const BESIDE: [&str; 10] = [
    GENERATION,
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "chat_template.json",
];

/// The base model of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BaseModelSource {
    /// The built-in model.
    Builtin,
    /// The model of a folder.
    Folder(ModelFolder),
}

impl BaseModelSource {
    /// Writes the model without an adapter. The built-in one becomes a Qwen 3 for `transformers`, with its tokenizer.
    /// Numbers are stored as `storage` or, unless one is given, as the model's are.
    ///
    /// # Errors
    /// The model can't be read, or the output can't be written.
    pub fn write(
        &self,
        storage: Option<Storage>,
        output: &ExportTarget,
    ) -> Result<Exported, ExportError> {
        self.write_with(None, storage, output)
    }

    /// Writes the model with an adapter added to its weights. Numbers are stored as `storage` or, unless one is given,
    /// as the base model's are; sums are in f32 and rounded once.
    ///
    /// A model whose head is tied to its embedding gets a separate head if the adapter acts on the head, and its
    /// configuration says so: the adapter changes the output logits, not the embedding that is looked up. Python's
    /// `merge_and_unload` changes both unless the model is untied first.
    ///
    /// # Errors
    /// The base model can't be read, the adapter does not fit it, or the output can't be written.
    pub fn write_merged(
        &self,
        adapter: &AdapterState,
        storage: Option<Storage>,
        output: &ExportTarget,
    ) -> Result<Exported, ExportError> {
        self.write_with(Some(adapter), storage, output)
    }

    fn write_with(
        &self,
        adapter: Option<&AdapterState>,
        storage: Option<Storage>,
        output: &ExportTarget,
    ) -> Result<Exported, ExportError> {
        match self {
            Self::Builtin => write_builtin(adapter, storage, output),
            Self::Folder(folder) => {
                let open = folder.open()?;
                let path = absolute(folder.path())?;
                let mut config: Value = read_json(&path.join(CONFIG), 1 << 20)?;
                set_ends(&mut config, &open.info.end_tokens);
                let model = (&open.config, &open.tensors as &dyn TensorSource);
                write(model, adapter, storage, output, config, |to| {
                    beside(&path, to)?;
                    let generation = to.join(GENERATION);
                    if !generation.exists() {
                        return Ok(());
                    }
                    let mut settings: Value = read_json(&generation, 1 << 20)?;
                    set_ends(&mut settings, &open.info.end_tokens);
                    write_json(&generation, &settings)
                })
            }
        }
    }
}

#[cfg(feature = "base-model")]
fn write_builtin(
    adapter: Option<&AdapterState>,
    storage: Option<Storage>,
    output: &ExportTarget,
) -> Result<Exported, ExportError> {
    let config = ModelConfig::tiny();
    let tensors = crate::model::TensorFile::new(crate::base::WEIGHTS)
        .map_err(|error| ExportError::Merge(error.to_string()))?;
    let file = config.to_file(Storage::F16.name());
    write((&config, &tensors), adapter, storage, output, file, |to| {
        write_json(&to.join("tokenizer.json"), &byte_level_tokenizer())?;
        write_json(&to.join("tokenizer_config.json"), &tokenizer_config())
    })
}

#[cfg(not(feature = "base-model"))]
fn write_builtin(
    _: Option<&AdapterState>,
    _: Option<Storage>,
    _: &ExportTarget,
) -> Result<Exported, ExportError> {
    let what = "the built-in model is not part of this build; build with the feature base-model";
    Err(ExportError::Merge(what.to_owned()))
}

fn write(
    (model, tensors): (&ModelConfig, &dyn TensorSource),
    adapter: Option<&AdapterState>,
    storage: Option<Storage>,
    output: &ExportTarget,
    mut config: Value,
    rest: impl FnOnce(&Path) -> Result<(), ExportError>,
) -> Result<Exported, ExportError> {
    let merge = Merge::new(model, tensors, adapter, storage)?;
    if let Some(storage) = storage {
        // Older and newer versions of transformers have different names for it.
        for name in ["torch_dtype", "dtype"] {
            if name == "torch_dtype" || !config[name].is_null() {
                config[name] = storage.name().into();
            }
        }
    }
    if merge.unties_head() || !model.tie_word_embeddings {
        config["tie_word_embeddings"] = false.into();
    }
    output.write(|to| {
        merge.write(&to.join(WEIGHTS))?;
        write_json(&to.join(CONFIG), &config)?;
        rest(to)
    })
}

/// Writes the end tokens into a configuration: one as a number, several as a list.
fn set_ends(config: &mut Value, ids: &[u32]) {
    match ids {
        [] => {}
        [id] => config["eos_token_id"] = (*id).into(),
        ids => config["eos_token_id"] = ids.into(),
    }
}

/// Copies the files beside the weights. Links become files.
fn beside(from: &Path, to: &Path) -> Result<(), ExportError> {
    for name in BESIDE {
        let (from, to) = (from.join(name), to.join(name));
        if from.is_file() {
            fs::copy(&from, &to).map_err(ExportError::io("copy", &from))?;
        } else if from.exists() {
            return Err(FolderError::new(&from, "is not a regular file").into());
        }
    }
    Ok(())
}

fn write_json(path: &Path, value: &Value) -> Result<(), ExportError> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    fs::write(path, bytes).map_err(ExportError::io("write", path))
}
