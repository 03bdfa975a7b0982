//! `adapter_config.json`, as PEFT reads it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::backend::AdapterState;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AdapterConfig {
    peft_type: String,
    task_type: String,
    pub(super) base_model_name_or_path: String,
    r: usize,
    pub(super) lora_alpha: f32,
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

/// The module an adapter tensor belongs to: `q_proj` of `..self_attn.q_proj.lora_A.weight`.
fn module(tensor: &str) -> Option<&str> {
    let (path, _) = tensor.split_once(".lora_")?;
    path.rsplit('.').next()
}

#[cfg(test)]
mod tests {
    use super::module;

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
