//! Model folders with random weights.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::base::ByteVocabulary;
use crate::folder::{Storage, byte_level_tokenizer, tokenizer_config};
use crate::model::{Arch, Layout, ModelConfig, RopeScaling, Slot};
use crate::random::Random;

/// Writes a Hugging Face folder with random weights, loadable by every program that reads such folders. The same options
/// write the same bytes.
///
/// ```
/// use tinker_engine::{Storage, testing::RandomFolder};
///
/// # fn main() -> std::io::Result<()> {
/// let place = tempfile::tempdir()?;
/// RandomFolder::llama().with_storage(Storage::F32).with_shards(2).write(place.path())?;
/// assert!(place.path().join("model.safetensors.index.json").exists());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RandomFolder {
    /// The model.
    pub config: ModelConfig,
    /// Seed of the numbers.
    pub seed: u64,
    /// Number format of the files.
    pub storage: Storage,
    /// Number of weight files; with more than one an index is written.
    pub shards: usize,
    /// Standard deviation of the weights, divided by the root of their input's width. A larger one gives less uniform
    /// predictions, which makes differences easier to see.
    pub deviation: f64,
}

/// Numbers drawn and written at a time.
const CHUNK: usize = 1 << 16;

impl RandomFolder {
    /// A model of this shape, stored as bf16 in one file, from seed 0.
    pub fn new(config: ModelConfig) -> Self {
        Self {
            config,
            seed: 0,
            storage: Storage::default(),
            shards: 1,
            deviation: 0.5,
        }
    }

    /// A tiny Qwen 3, with the tokens of the built-in model: norms on query and key heads, tied head.
    pub fn qwen3() -> Self {
        let mut config = ModelConfig::tiny();
        config.hidden_size = 48;
        config.intermediate_size = 80;
        config.num_hidden_layers = 2;
        config.head_dim = 16;
        config.max_position_embeddings = 256;
        Self::new(config)
    }

    /// A tiny Qwen 2: biases on queries, keys and values, tied head.
    pub fn qwen2() -> Self {
        let mut folder = Self::qwen3();
        folder.config.arch = Arch::Qwen2;
        folder.config.head_dim = 12;
        folder.config.qk_norm = false;
        folder.config.qkv_bias = true;
        folder
    }

    /// A tiny Llama 3.1: a separate head, and scaled rotary frequencies.
    pub fn llama() -> Self {
        let mut folder = Self::qwen3();
        folder.config.arch = Arch::Llama;
        folder.config.head_dim = 12;
        folder.config.qk_norm = false;
        folder.config.tie_word_embeddings = false;
        folder.config.rms_norm_eps = 1e-5;
        folder.config.rope_scaling = RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 64,
        };
        folder
    }

    /// A Qwen 3 of half a billion parameters.
    pub fn qwen3_half_billion() -> Self {
        let mut config = ModelConfig::tiny();
        config.vocab_size = 131_072;
        config.hidden_size = 1024;
        config.intermediate_size = 3072;
        config.num_hidden_layers = 24;
        config.num_attention_heads = 16;
        config.num_key_value_heads = 8;
        config.head_dim = 128;
        config.max_position_embeddings = 32_768;
        config.rope_theta = 1e6;
        Self::new(config)
    }

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the number format. Narrower formats hold the same numbers, rounded.
    #[must_use]
    pub fn with_storage(mut self, storage: Storage) -> Self {
        self.storage = storage;
        self
    }

    /// Sets the number of weight files, at least 1.
    #[must_use]
    pub fn with_shards(mut self, shards: usize) -> Self {
        self.shards = shards.max(1);
        self
    }

    /// Number of parameters of the model.
    pub fn parameters(&self) -> u64 {
        Layout::new(&self.config).table.len as u64
    }

    /// Writes the folder, creating it if needed: configuration, weights, and the byte-level tokenizer of the built-in model
    /// if the vocabulary is large enough for it.
    ///
    /// # Errors
    /// The files can't be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let json = |name: &str, value: &Value| {
            std::fs::write(folder.join(name), serde_json::to_vec_pretty(value)?)
        };
        json("config.json", &self.config.to_file(self.storage.name()))?;
        if self.config.vocab_size >= ByteVocabulary::VOCAB_SIZE {
            json("tokenizer.json", &byte_level_tokenizer())?;
            json("tokenizer_config.json", &tokenizer_config())?;
        }
        let slots = Layout::new(&self.config).table.slots;
        if self.shards == 1 {
            return self.write_tensors(&folder.join("model.safetensors"), &slots, 0);
        }
        let mut weight_map = BTreeMap::new();
        let size = slots.len().div_ceil(self.shards);
        for (i, part) in slots.chunks(size).enumerate() {
            let of = slots.len().div_ceil(size);
            let name = format!("model-{:05}-of-{of:05}.safetensors", i + 1);
            self.write_tensors(&folder.join(&name), part, i * size)?;
            weight_map.extend(part.iter().map(|slot| (slot.name.clone(), name.clone())));
        }
        let total = self.parameters() * self.storage.size() as u64;
        let index = json!({ "metadata": { "total_size": total }, "weight_map": weight_map });
        json("model.safetensors.index.json", &index)
    }

    /// Writes one file, tensor by tensor, so that a large model is never whole in memory.
    fn write_tensors(&self, path: &Path, slots: &[Slot], first: usize) -> io::Result<()> {
        let mut header = serde_json::Map::new();
        header.insert("__metadata__".to_owned(), json!({ "format": "pt" }));
        let (mut at, size) = (0, self.storage.size());
        for slot in slots {
            let end = at + slot.at.len() * size;
            let entry = json!({ "dtype": self.storage.dtype(), "shape": slot.shape, "data_offsets": [at, end] });
            header.insert(slot.name.clone(), entry);
            at = end;
        }
        let mut header = serde_json::to_vec(&header)?;
        header.resize(header.len().next_multiple_of(8), b' ');
        let mut file = io::BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?);
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        for (i, slot) in slots.iter().enumerate() {
            let mut random = Random::new(self.seed, (first + i) as u64);
            let is_norm = slot.name.ends_with("norm.weight");
            let deviation = match slot.shape[..] {
                [_, input] if !slot.name.contains("embed_tokens") => {
                    self.deviation / (input as f64).sqrt()
                }
                _ => self.deviation / 4.0,
            };
            let mean = if is_norm { 1.0 } else { 0.0 };
            let mut left = slot.at.len();
            let mut bytes = Vec::new();
            while left > 0 {
                let count = left.min(CHUNK);
                let numbers: Vec<f32> = (0..count)
                    .map(|_| random.normal(deviation) + mean)
                    .collect();
                bytes.clear();
                self.storage.encode(&numbers, &mut bytes);
                file.write_all(&bytes)?;
                left -= count;
            }
        }
        file.flush()
    }
}
