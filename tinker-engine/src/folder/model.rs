//! Model folder: opening, checks and loading.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::config::{ConfigFile, Ids};
use super::error::FolderError;
use super::file::{parse_json, read};
use super::fingerprint;
use super::tensors::FolderTensors;
use super::vocabulary::TokenizerVocabulary;
use crate::backend::BaseModelInfo;
use crate::cpu::CpuBackend;
use crate::model::{Layout, ModelConfig};
use crate::vocabulary::Vocabulary;

const HEAD: &str = "lm_head.weight";
const EMBEDDING: &str = "model.embed_tokens.weight";

/// A Hugging Face folder with a model of the Llama, Qwen 2 or Qwen 3 family.
///
/// It holds `config.json`, the weights as `model.safetensors` or in several files with
/// `model.safetensors.index.json` (f32, f16 or bf16), and the tokenizer for clients. Nothing is read before the model
/// is loaded.
///
/// Unknown or unsupported fields of `config.json` are errors that name the field. If the
/// head is tied to the embedding but the weights hold a head that differs, that head is used, as in `transformers`.
///
/// ```
/// use tinker_engine::backend::Backend;
/// use tinker_engine::testing::RandomFolder;
/// use tinker_engine::{CpuBackend, ModelFolder};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let place = tempfile::tempdir()?;
/// let folder = place.path().join("tiny-qwen3");
/// RandomFolder::qwen3().write(&folder)?;
///
/// let backend = CpuBackend::from_folder(&ModelFolder::new(&folder))?;
/// assert_eq!(backend.model().name, "tiny-qwen3");
///
/// let short = ModelFolder::new(&folder).with_name("mine").with_context(64);
/// let backend = CpuBackend::from_folder(&short)?;
/// assert_eq!((backend.model().name.as_str(), backend.model().context), ("mine", 64));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFolder {
    path: PathBuf,
    name: Option<String>,
    context: Option<usize>,
    known_tokens_only: bool,
    end_tokens: Vec<u32>,
}

impl ModelFolder {
    /// A folder; by default with its name and the context of the model, but at most 32,768 tokens.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            name: None,
            context: None,
            known_tokens_only: false,
            end_tokens: Vec::new(),
        }
    }

    /// Sets the name of the model. Checkpoints record it, and load only on a model of the same name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the longest sequence in tokens, at most the context of the model. Tables and caches grow with it.
    #[must_use]
    pub fn with_context(mut self, tokens: usize) -> Self {
        self.context = Some(tokens);
        self
    }

    /// Keeps ids without a token in `tokenizer.json` from being drawn. Many models have more ids than tokens, and by
    /// default any id can be drawn. Log probabilities stay those of the whole model.
    #[must_use]
    pub fn with_known_tokens_only(mut self) -> Self {
        self.known_tokens_only = true;
        self
    }

    /// Adds tokens that end a sequence, such as the one that the chat template writes after an answer, to those that
    /// the files name. Exports have all of them.
    #[must_use]
    pub fn with_end_tokens(mut self, ids: impl IntoIterator<Item = u32>) -> Self {
        self.end_tokens.extend(ids);
        self
    }

    /// Path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Digest by which the weights are recognized, see [`BaseModelInfo::fingerprint`].
    ///
    /// # Errors
    /// This engine does not support the model, or the folder is damaged. The message names the file.
    pub fn fingerprint(&self) -> Result<String, FolderError> {
        Ok(self.open()?.info.fingerprint.unwrap_or_default())
    }

    /// Reads and checks everything except the weights.
    pub(crate) fn open(&self) -> Result<OpenFolder, FolderError> {
        let path = absolute(&self.path)?;
        let config_path = path.join("config.json");
        if !config_path.exists() && path.join("adapter_config.json").exists() {
            let what = "holds an adapter, not a model; `tinker export --merged` writes a model, and \
                        `tinker checkpoint import` makes a checkpoint of an adapter";
            return Err(FolderError::new(&path, what));
        }
        let file = ConfigFile::read(&config_path)?;
        let mut config = file.model(&config_path, self.context)?;
        let tensors = FolderTensors::open(&path)?;
        // As in transformers, a head that differs from the embedding is not tied to it.
        if config.tie_word_embeddings && tensors.differ(HEAD, EMBEDDING) {
            config.tie_word_embeddings = false;
        }
        let is_unused = |name: &str| {
            name.ends_with("rotary_emb.inv_freq") || (config.tie_word_embeddings && name == HEAD)
        };
        let layout = Layout::new(&config);
        tensors.check(&path, &layout.table.slots, is_unused)?;
        let mut text = tokenizer(&path)
            .map(|file| TokenizerVocabulary::read(&file, config.vocab_size))
            .transpose()?;
        if self.known_tokens_only {
            let missing = || {
                let what = "holds no tokenizer.json, which known-tokens-only sampling needs";
                FolderError::new(&path, what)
            };
            text = Some(text.ok_or_else(missing)?.drawing_known_only());
        }
        let mut info = BaseModelInfo::new(
            self.name.clone().unwrap_or_else(|| name_of(&path)),
            config.arch.name(),
            config.vocab_size,
            config.max_position_embeddings,
        );
        info.end_tokens = end_tokens(&path, file.eos_token_id, config.vocab_size)?;
        for id in &self.end_tokens {
            if !info.end_tokens.contains(id) {
                info.end_tokens.push(*id);
            }
        }
        info.tokenizer = text.is_some().then(|| path.display().to_string());
        info.folder = Some(path);
        info.fingerprint = Some(fingerprint::of(&tensors, &layout.table.slots));
        Ok(OpenFolder {
            info,
            config,
            tensors,
            text,
        })
    }
}

impl CpuBackend {
    /// Loads the model of a folder. The weights are read and packed once for each direction, in the precision they are
    /// stored in; sums are in f32.
    ///
    /// # Errors
    /// This engine does not support the model, or the folder is damaged. The message names the file.
    pub fn from_folder(folder: &ModelFolder) -> Result<Self, FolderError> {
        let OpenFolder {
            info,
            config,
            tensors,
            text,
        } = folder.open()?;
        let vocabulary = text.map(|text| Arc::new(text) as Arc<dyn Vocabulary>);
        Self::from_tensors(config, info, &tensors, vocabulary)
            .map_err(|error| FolderError::new(folder.path(), "can't be loaded").because(error))
    }
}

/// The absolute path of a folder, with links resolved.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, FolderError> {
    std::fs::canonicalize(path).map_err(|error| {
        let what = "can't be opened; give the folder of a model, with config.json in it";
        FolderError::new(path, what).because(error)
    })
}

impl<P: AsRef<Path> + ?Sized> From<&P> for ModelFolder {
    fn from(path: &P) -> Self {
        Self::new(path.as_ref())
    }
}

impl From<PathBuf> for ModelFolder {
    fn from(path: PathBuf) -> Self {
        Self::new(path)
    }
}

/// A checked folder.
#[derive(Debug)]
pub(crate) struct OpenFolder {
    pub(crate) info: BaseModelInfo,
    pub(crate) config: ModelConfig,
    pub(crate) tensors: FolderTensors,
    pub(crate) text: Option<TokenizerVocabulary>,
}

/// The tokenizer's file, if it exists.
pub(crate) fn tokenizer(folder: &Path) -> Option<PathBuf> {
    Some(folder.join("tokenizer.json")).filter(|file| file.exists())
}

/// The folder's name, or in the Hugging Face cache, `models--ORG--NAME/snapshots/HASH`, the model's.
fn name_of(path: &Path) -> String {
    let named = |path: &Path| Some(path.file_name()?.to_string_lossy().into_owned());
    let cached = path.ancestors().nth(2).and_then(named);
    let cached = cached.and_then(|name| Some(name.strip_prefix("models--")?.replace("--", "/")));
    cached
        .or_else(|| named(path))
        .unwrap_or_else(|| "model".to_owned())
}

#[derive(Deserialize)]
struct Generation {
    eos_token_id: Option<Ids>,
}

/// The end tokens: those of `generation_config.json` and of `config.json`.
fn end_tokens(folder: &Path, own: Option<Ids>, vocab_size: usize) -> Result<Vec<u32>, FolderError> {
    let path = folder.join("generation_config.json");
    let generation = if path.exists() {
        generation_ends(&path, &read(&path, 1 << 20)?)?
    } else {
        None
    };
    let mut all = Vec::new();
    for (ids, path) in [(generation, path), (own, folder.join("config.json"))] {
        for id in ids.map(Ids::into_vec).unwrap_or_default() {
            if id as usize >= vocab_size {
                let what = format!(
                    "has eos_token_id {id}, but the vocabulary has {vocab_size} tokens; correct it"
                );
                return Err(FolderError::new(&path, what));
            }
            if !all.contains(&id) {
                all.push(id);
            }
        }
    }
    Ok(all)
}

/// The end tokens of `generation_config.json`.
pub(super) fn generation_ends(path: &Path, bytes: &[u8]) -> Result<Option<Ids>, FolderError> {
    Ok(parse_json::<Generation>(path, bytes)?.eos_token_id)
}

#[cfg(test)]
mod tests;
