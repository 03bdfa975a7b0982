//! `adapter_config.json` in PEFT's form.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use tinker_engine::backend::AdapterState;

/// The file as it is written.
#[derive(Debug, Serialize)]
pub(super) struct AdapterConfig {
    peft_type: String,
    task_type: String,
    base_model_name_or_path: String,
    r: usize,
    lora_alpha: f32,
    lora_dropout: f32,
    bias: String,
    inference_mode: bool,
    target_modules: Vec<String>,
}

impl AdapterConfig {
    pub(super) fn new(base_model: &str, state: &AdapterState) -> Self {
        let modules: BTreeSet<&str> = state
            .tensors
            .iter()
            .filter_map(|tensor| module(&tensor.name))
            .collect();
        Self {
            peft_type: "LORA".to_owned(),
            task_type: "CAUSAL_LM".to_owned(),
            base_model_name_or_path: base_model.to_owned(),
            r: state.spec.rank,
            lora_alpha: state.alpha,
            lora_dropout: 0.0,
            bias: "none".to_owned(),
            inference_mode: true,
            target_modules: modules.into_iter().map(str::to_owned).collect(),
        }
    }
}

/// Fields without an effect on the numbers of a saved adapter, or whose effect the tensors show.
const HARMLESS: [&str; 22] = [
    "auto_mapping",
    "base_model_name_or_path",
    "corda_config",
    "eva_config",
    "exclude_modules",
    "inference_mode",
    "layers_pattern",
    "layers_to_transform",
    "loftq_config",
    "lora_dropout",
    "lora_ga_config",
    "megatron_config",
    "megatron_core",
    "parent_library",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
    "tinker_version",
    "version",
];

/// The fields that are read. Every other field is known to be harmless, has no effect by its value, or is refused.
#[derive(Debug, Deserialize)]
pub(super) struct ReadConfig {
    #[serde(default)]
    base_model_name_or_path: Option<String>,
    #[serde(default)]
    peft_type: Option<String>,
    #[serde(default)]
    r: usize,
    #[serde(default)]
    lora_alpha: f32,
    #[serde(default)]
    use_rslora: Option<bool>,
    #[serde(default)]
    alpha_pattern: Option<BTreeMap<String, f32>>,
    #[serde(default)]
    rank_pattern: Option<BTreeMap<String, usize>>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

impl ReadConfig {
    /// The name by which PEFT loads the base model.
    pub(super) fn base_name(&self) -> &str {
        self.base_model_name_or_path.as_deref().unwrap_or_default()
    }

    /// Refuses, by its name, whatever would change the numbers and is not read.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(kind) = self.peft_type.as_deref().filter(|kind| *kind != "LORA") {
            return Err(format!("peft_type is {kind}; only LORA can be loaded"));
        }
        if self.r == 0 {
            return Err("r is 0 or missing; it is at least 1".to_owned());
        }
        let alphas = self
            .alpha_pattern
            .iter()
            .flatten()
            .map(|(key, _)| ("alpha_pattern", key));
        let ranks = self
            .rank_pattern
            .iter()
            .flatten()
            .map(|(key, _)| ("rank_pattern", key));
        for (field, key) in alphas.chain(ranks) {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
            if !key.strip_prefix('^').unwrap_or(key).chars().all(plain) {
                return Err(format!(
                    "{field} has the expression {key:?}; only names of modules can be read"
                ));
            }
        }
        for (name, value) in &self.rest {
            let is_without_effect = match value {
                Value::Null | Value::Bool(false) => true,
                Value::Array(values) => values.is_empty(),
                Value::Object(values) => values.is_empty(),
                Value::String(text) => text.is_empty() || (name == "bias" && text == "none"),
                _ => false,
            };
            // Other ways to initialize an adapter change the base model, too.
            let is_plain_start =
                name == "init_lora_weights" && (value.is_boolean() || value == "gaussian");
            if !is_without_effect && !is_plain_start && !HARMLESS.contains(&name.as_str()) {
                return Err(format!(
                    "{name} is {value}, which cannot be loaded; only plain LoRA of linear modules can"
                ));
            }
        }
        Ok(())
    }

    /// Factor of the product of the two matrices of most modules.
    pub(super) fn scale(&self) -> f32 {
        self.scaled(self.lora_alpha, self.r)
    }

    /// Numerator of the scaling `alpha / rank` that equals [`scale`](Self::scale) at a rank.
    pub(super) fn alpha_at(&self, rank: usize) -> f32 {
        match (rank == self.r, self.use_rslora == Some(true)) {
            (true, false) => self.lora_alpha,
            (true, true) => self.lora_alpha * (self.r as f32).sqrt(),
            (false, _) => self.scale() * rank as f32,
        }
    }

    /// Rank of a module.
    pub(super) fn rank_of(&self, module: &str) -> usize {
        of_pattern(self.rank_pattern.as_ref(), module).unwrap_or(self.r)
    }

    /// Factor of a module whose rank is `rank`.
    pub(super) fn scale_of(&self, module: &str, rank: usize) -> f32 {
        let alpha = of_pattern(self.alpha_pattern.as_ref(), module);
        self.scaled(alpha.unwrap_or(self.lora_alpha), rank)
    }

    fn scaled(&self, alpha: f32, rank: usize) -> f32 {
        if self.use_rslora == Some(true) {
            alpha / (rank as f32).sqrt()
        } else {
            alpha / rank as f32
        }
    }
}

/// The value for a module: of the first key that is the end of its name, or all of it for a key that begins with `^`.
fn of_pattern<T: Copy>(pattern: Option<&BTreeMap<String, T>>, module: &str) -> Option<T> {
    let module = module.strip_prefix("base_model.model.").unwrap_or(module);
    let fits = |key: &str| match key.strip_prefix('^') {
        Some(whole) => module == whole,
        None => module
            .strip_suffix(key)
            .is_some_and(|before| before.is_empty() || before.ends_with('.')),
    };
    let mut found = pattern?.iter().filter(|(key, _)| fits(key));
    found.next().map(|(_, value)| *value)
}

/// The module an adapter tensor belongs to: `q_proj` of `..self_attn.q_proj.lora_A.weight`.
fn module(tensor: &str) -> Option<&str> {
    let (path, _) = tensor.split_once(".lora_")?;
    path.rsplit('.').next()
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "numbers that are exact in binary")]
mod tests {
    use super::{ReadConfig, module};

    #[test]
    fn what_bears_on_the_numbers_is_read_or_refused() {
        let read = |more: &str| {
            let text = format!(
                r#"{{"base_model_name_or_path": "x", "r": 4, "lora_alpha": 6, "unknown": []{more}}}"#
            );
            serde_json::from_str::<ReadConfig>(&text).unwrap()
        };
        assert_eq!(read("").alpha_at(4), 6.0);
        let rooted = read(r#", "use_rslora": true, "alpha_pattern": {}, "task_type": "CAUSAL_LM""#);
        assert_eq!((rooted.check(), rooted.alpha_at(4)), (Ok(()), 12.0));
        let layers =
            read(r#", "rank_pattern": {"^model.layers.0.q": 2}, "alpha_pattern": {"q": 8}"#);
        let name = |layer: usize| format!("base_model.model.model.layers.{layer}.q");
        assert_eq!((layers.rank_of(&name(0)), layers.rank_of(&name(1))), (2, 4));
        assert_eq!(layers.scale_of(&name(0), 2), 4.0);
        assert_eq!(layers.scale_of("base_model.model.model.seq", 4), 1.5);
        for (more, name) in [
            (r#", "alpha_pattern": {"q.*proj": 2}"#, "alpha_pattern"),
            (r#", "use_dora": true"#, "use_dora"),
            (r#", "bias": "all""#, "bias"),
            (r#", "modules_to_save": ["lm_head"]"#, "modules_to_save"),
            (r#", "fan_in_fan_out": true"#, "fan_in_fan_out"),
            (r#", "init_lora_weights": "pissa""#, "init_lora_weights"),
            (
                r#", "trainable_token_indices": [3]"#,
                "trainable_token_indices",
            ),
            (r#", "of_tomorrow": 1"#, "of_tomorrow"),
            (r#", "peft_type": "IA3""#, "peft_type"),
        ] {
            assert!(read(more).check().unwrap_err().starts_with(name), "{more}");
        }
    }

    #[test]
    fn modules_are_read_off_the_names() {
        assert_eq!(
            module("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"),
            Some("q_proj")
        );
        assert_eq!(
            module("base_model.model.lm_head.lora_B.weight"),
            Some("lm_head")
        );
        assert_eq!(module("norm.weight"), None);
    }
}
