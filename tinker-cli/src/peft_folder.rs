//! Folder of a PEFT adapter: its shape, and the rules of the programs that serve it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;
use tinker_client::LoraConfig;
use tinker_client::hub::{Hub, HubConfig};

use crate::exit::Usage;

pub(crate) const CONFIG: &str = "adapter_config.json";
pub(crate) const WEIGHTS: &str = "adapter_model.safetensors";
/// Older form of the weights.
const PICKLE: &str = "adapter_model.bin";
/// Largest header of a weights file that is read.
const LONGEST_HEADER: u64 = 100 << 20;
/// Ranks that vLLM can be started for.
const VLLM_RANKS: [usize; 8] = [8, 16, 32, 64, 128, 256, 320, 512];
/// The rank that vLLM takes without an option.
const VLLM_DEFAULT: usize = 16;

/// An adapter in PEFT's form.
#[derive(Debug)]
pub(crate) struct PeftFolder {
    path: PathBuf,
    config: BTreeMap<String, Value>,
    /// Shape of each tensor.
    shapes: BTreeMap<String, Vec<usize>>,
}

#[derive(Debug, Deserialize)]
struct Tensor {
    shape: Vec<usize>,
}

impl PeftFolder {
    /// Reads the configuration, and names and shapes of the tensors.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        if !path.join(CONFIG).is_file() {
            let message = format!("{shown} has no {CONFIG}; give the folder of a PEFT adapter");
            return Err(Usage(message).into());
        }
        if !path.join(WEIGHTS).is_file() {
            let message = if path.join(PICKLE).is_file() {
                format!(
                    "{shown}/{PICKLE} is a pickle, which can run any code and is not read; save the adapter with safe_serialization=True"
                )
            } else {
                format!("{shown} has no {WEIGHTS}")
            };
            return Err(Usage(message).into());
        }
        let text = std::fs::read(path.join(CONFIG))
            .with_context(|| format!("cannot read {shown}/{CONFIG}"))?;
        let config = serde_json::from_slice(&text)
            .with_context(|| format!("{shown}/{CONFIG} is not a JSON object"))?;
        let shapes = shapes(&path.join(WEIGHTS))
            .with_context(|| format!("cannot read {shown}/{WEIGHTS}"))?;
        Ok(Self {
            path: path.to_owned(),
            config,
            shapes,
        })
    }

    /// Name of the base model, or its folder.
    pub(crate) fn base_model(&self) -> Option<&str> {
        let name = self.config.get("base_model_name_or_path")?.as_str()?;
        Some(name).filter(|name| !name.is_empty())
    }

    /// Contents of the two files, by name.
    pub(crate) fn files(&self) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
        let read = |name: &str| {
            let path = self.path.join(name);
            let bytes =
                std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            Ok((name.to_owned(), bytes))
        };
        [CONFIG, WEIGHTS].into_iter().map(read).collect()
    }

    /// Shape of the adapter: the largest rank, and the parts with tensors.
    pub(crate) fn lora_config(&self) -> LoraConfig {
        let has = |part: &str| self.shapes.keys().any(|name| name.contains(part));
        let mut lora = LoraConfig::new(u32::try_from(self.rank()).unwrap_or(u32::MAX));
        lora.train_attn = has(".self_attn.");
        lora.train_mlp = has(".mlp.");
        lora.train_unembed = has("lm_head");
        lora
    }

    /// The largest rank.
    pub(crate) fn rank(&self) -> usize {
        self.ranks().last().copied().unwrap_or_default()
    }

    fn ranks(&self) -> BTreeSet<usize> {
        let first = |name: &str| {
            name.ends_with(".lora_A.weight") || name.ends_with(".lora_A.default.weight")
        };
        let matrices = self.shapes.iter().filter(|(name, _)| first(name));
        matrices
            .filter_map(|(_, shape)| shape.first().copied())
            .collect()
    }

    /// Rules of `vLLM` and `SGLang` that concern the adapter.
    pub(crate) fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        let rank = self.rank();
        if rank > VLLM_DEFAULT {
            findings.push(match VLLM_RANKS.iter().find(|largest| **largest >= rank) {
                Some(largest) => format!("the rank is {rank}: start vLLM with --max-lora-rank {largest}, and SGLang with --max-lora-rank {rank}"),
                None => format!("the rank is {rank}: vLLM takes at most 512; merge the adapter (tinker export --merged)"),
            });
        }
        let patterns = ["alpha_pattern", "rank_pattern"];
        let has_pattern = |name: &str| {
            self.config
                .get(name)
                .and_then(Value::as_object)
                .is_some_and(|map| !map.is_empty())
        };
        if self.ranks().len() > 1 || patterns.into_iter().any(has_pattern) {
            findings.push("modules have different ranks or scalings, which vLLM and SGLang do not read; merge the adapter".to_owned());
        }
        let modules = self.modules();
        if modules.contains("lm_head") {
            let base = self.base_model().unwrap_or("the base model");
            let why = match self.has_tied_base() {
                Some(true) => Some(format!(
                    "the head of {base} is tied to its embedding, so vLLM and SGLang refuse this"
                )),
                Some(false) => None,
                None => Some(format!(
                    "vLLM and SGLang refuse this if the head of {base} is tied to its embedding, which no config.json on this machine says"
                )),
            };
            findings.extend(why.map(|why| format!("it adapts lm_head: {why}, and merge_and_unload of peft would change the embedding as well; merge the adapter (tinker export --merged), or train with --train attention,mlp")));
        }
        if let Some(Value::Array(declared)) = self.config.get("target_modules") {
            let declared: BTreeSet<&str> = declared.iter().filter_map(Value::as_str).collect();
            let is_in = |names: &BTreeSet<&str>, name: &str| {
                names
                    .iter()
                    .any(|known| name == *known || known.ends_with(&format!(".{name}")))
            };
            let without = declared.iter().filter(|name| {
                let last = name.rsplit('.').next().unwrap_or(name);
                !modules.contains(last)
            });
            for name in without {
                findings.push(format!(
                    "target_modules has {name}, but no tensor adapts it"
                ));
            }
            for name in modules.iter().filter(|name| !is_in(&declared, name)) {
                findings.push(format!("tensors adapt {name}, which target_modules lacks"));
            }
        }
        findings
    }

    /// Whether the head of the base model is its embedding; `None` if the base model is neither a folder nor in the cache
    /// of the Hugging Face Hub, or does not say.
    fn has_tied_base(&self) -> Option<bool> {
        let name = self.base_model()?;
        let folder = if Path::new(name).is_dir() {
            PathBuf::from(name)
        } else {
            let hub = Hub::new(HubConfig::from_env().ok()?).ok()?;
            hub.cached(&name.parse().ok()?, "main")?
        };
        let text = std::fs::read(folder.join("config.json")).ok()?;
        let config: Value = serde_json::from_slice(&text).ok()?;
        let tied = |part: &Value| part.get("tie_word_embeddings")?.as_bool();
        // Models for several kinds of input have the settings of the language model in a part of their own.
        tied(&config).or_else(|| tied(config.get("text_config")?))
    }

    /// Last part of the name of each adapted module.
    fn modules(&self) -> BTreeSet<&str> {
        let module = |name: &'_ str| -> Option<usize> { name.find(".lora_") };
        let names = self
            .shapes
            .keys()
            .filter_map(|name| Some(&name[..module(name)?]));
        names.filter_map(|name| name.rsplit('.').next()).collect()
    }
}

/// Names and shapes of a safetensors file, from its header.
fn shapes(path: &Path) -> anyhow::Result<BTreeMap<String, Vec<usize>>> {
    let mut file = std::fs::File::open(path)?;
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    anyhow::ensure!(
        length <= LONGEST_HEADER,
        "the header has {length} bytes; the file is damaged"
    );
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header)?;
    let mut header: BTreeMap<String, Value> = serde_json::from_slice(&header)?;
    header.remove("__metadata__");
    let shape = |(name, value)| Ok((name, serde_json::from_value::<Tensor>(value)?.shape));
    header.into_iter().map(shape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(config: &str, tensors: &[(&str, [usize; 2])]) -> PeftFolder {
        let shapes = tensors
            .iter()
            .map(|(name, shape)| (format!("base_model.model.{name}.weight"), shape.to_vec()));
        PeftFolder {
            path: PathBuf::new(),
            config: serde_json::from_str(config).unwrap(),
            shapes: shapes.collect(),
        }
    }

    #[test]
    fn the_rules_of_servers_are_named() {
        let plain = folder(
            r#"{"target_modules": ["q_proj"]}"#,
            &[("model.layers.0.self_attn.q_proj.lora_A", [8, 4])],
        );
        assert_eq!(plain.findings(), Vec::<String>::new());
        assert_eq!((plain.rank(), plain.lora_config().train_mlp), (8, false));
        let odd = folder(
            r#"{"target_modules": ["q_proj", "v_proj"], "alpha_pattern": {"q_proj": 2}}"#,
            &[
                ("model.layers.0.self_attn.q_proj.lora_A", [40, 4]),
                ("lm_head.lora_A", [40, 4]),
            ],
        );
        let findings = odd.findings().join("\n");
        for part in [
            "--max-lora-rank 64",
            "different ranks or scalings",
            "lm_head: vLLM and SGLang refuse this if the head of the base model is tied",
            "has v_proj",
            "adapt lm_head, which",
        ] {
            assert!(findings.contains(part), "{part}: {findings}");
        }
    }

    #[test]
    fn an_adapter_of_the_head_is_judged_by_the_base_model() {
        let base = tempfile::tempdir().unwrap();
        let judged = |config: &str| {
            std::fs::write(base.path().join("config.json"), config).unwrap();
            let of = serde_json::json!({"base_model_name_or_path": base.path()});
            let adapter = folder(&of.to_string(), &[("lm_head.lora_A", [8, 4])]);
            adapter.findings().join("\n")
        };
        assert!(
            judged(r#"{"tie_word_embeddings": true}"#).contains("is tied to its embedding, so")
        );
        assert_eq!(judged(r#"{"tie_word_embeddings": false}"#), "");
        let nested = r#"{"text_config": {"tie_word_embeddings": true}}"#;
        assert!(judged(nested).contains("is tied to its embedding, so"));
        assert!(judged("{}").contains("no config.json on this machine"));
    }
}
