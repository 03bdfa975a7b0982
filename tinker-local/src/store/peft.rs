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

/// The fields that are read: those that affect the numbers and do not follow from the tensors.
#[derive(Debug, Deserialize)]
pub(super) struct ReadConfig {
    pub(super) base_model_name_or_path: String,
    r: usize,
    lora_alpha: f32,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    alpha_pattern: BTreeMap<String, Value>,
    #[serde(default)]
    use_dora: bool,
}

impl ReadConfig {
    /// Numerator of the scaling of an adapter whose rank must be this one.
    pub(super) fn alpha_of_rank(&self, rank: usize) -> Result<f32, String> {
        if self.r != rank {
            return Err(format!("r is {}, the upload's rank is {rank}", self.r));
        }
        self.alpha()
    }

    /// Numerator of the scaling `alpha / rank`.
    pub(super) fn alpha(&self) -> Result<f32, String> {
        let unknown = match self {
            Self { use_dora: true, .. } => "use_dora",
            Self { alpha_pattern, .. } if !alpha_pattern.is_empty() => "alpha_pattern",
            _ if self.use_rslora => return Ok(self.lora_alpha * (self.r as f32).sqrt()),
            _ => return Ok(self.lora_alpha),
        };
        Err(format!(
            "{unknown} is set; only plain LoRA with one lora_alpha, and use_rslora, can be loaded"
        ))
    }
}

/// The module an adapter tensor belongs to: `q_proj` of `..self_attn.q_proj.lora_A.weight`.
fn module(tensor: &str) -> Option<&str> {
    let (path, _) = tensor.split_once(".lora_")?;
    path.rsplit('.').next()
}

#[cfg(test)]
mod tests {
    use super::{ReadConfig, module};

    #[test]
    fn what_bears_on_the_numbers_is_read_or_refused() {
        let read = |more: &str| {
            let text = format!(
                r#"{{"base_model_name_or_path": "x", "r": 4, "lora_alpha": 6, "unknown": []{more}}}"#
            );
            serde_json::from_str::<ReadConfig>(&text).unwrap().alpha()
        };
        assert_eq!(read(""), Ok(6.0));
        assert_eq!(
            read(r#", "use_rslora": true, "alpha_pattern": {}"#),
            Ok(12.0)
        );
        for (more, name) in [
            (r#", "alpha_pattern": {"q_proj": 2}"#, "alpha_pattern"),
            (r#", "use_dora": true"#, "use_dora"),
        ] {
            assert!(read(more).unwrap_err().starts_with(name), "{more}");
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
