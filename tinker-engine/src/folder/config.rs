//! `config.json` of a model folder: parsing, and refusal of what this engine does not support.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::FolderError;
use super::file::{parse_json, read};
use super::harmless;
use super::rope::RopeFields;
use crate::model::{Arch, ModelConfig};

/// Largest configuration file.
const MOST_BYTES: u64 = 1 << 20;

/// Default bound of the context: each position costs memory, and some models declare a million.
pub(super) const DEFAULT_CONTEXT: usize = 32_768;

/// Largest context that can be requested.
const MOST_CONTEXT: usize = 1 << 20;

macro_rules! config_file {
    ($($(#[$meta:meta])* $visibility:vis $field:ident: $type:ty,)*) => {
        /// The fields that this engine uses, named as in the file. Absent fields have the defaults of `transformers`.
        #[derive(Debug, Deserialize)]
        pub(super) struct ConfigFile {
            $($(#[$meta])* $visibility $field: $type,)*
        }

        /// Names of the fields that this engine uses.
        const USED: &[&str] = &[$(stringify!($field)),*];
    };
}

config_file! {
    model_type: Option<String>,
    architectures: Option<Vec<String>>,
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    max_position_embeddings: Option<usize>,
    rms_norm_eps: Option<f32>,
    rope_theta: Option<f64>,
    rope_scaling: Option<Value>,
    rope_parameters: Option<Value>,
    tie_word_embeddings: Option<bool>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    hidden_act: Option<String>,
    use_sliding_window: Option<bool>,
    sliding_window: Option<usize>,
    layer_types: Option<Vec<String>>,
    partial_rotary_factor: Option<f64>,
    quantization_config: Option<Value>,
    pub(super) eos_token_id: Option<Ids>,
}

/// The fields that name the family of a model.
#[derive(Deserialize)]
struct Family {
    model_type: Option<String>,
    architectures: Option<Vec<String>>,
}

/// One token id or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Ids {
    One(u32),
    Several(Vec<u32>),
}

impl Ids {
    pub(super) fn into_vec(self) -> Vec<u32> {
        match self {
            Self::One(id) => vec![id],
            Self::Several(ids) => ids,
        }
    }
}

impl ConfigFile {
    pub(super) fn read(path: &Path) -> Result<Self, FolderError> {
        Self::parse(path, &read(path, MOST_BYTES)?)
    }

    /// Parses the bytes of such a file. A field that this engine neither uses nor knows to be harmless is an error.
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, FolderError> {
        // Another family has other fields; its name is the better message.
        let family: Family = parse_json(path, bytes)?;
        arch(
            path,
            family.model_type.as_deref(),
            family.architectures.as_deref(),
        )?;
        let file: Self = parse_json(path, bytes)?;
        let fields: Map<String, Value> = parse_json(path, bytes)?;
        harmless::check(path, &fields, USED)?;
        Ok(file)
    }

    fn arch(&self, path: &Path) -> Result<Arch, FolderError> {
        arch(
            path,
            self.model_type.as_deref(),
            self.architectures.as_deref(),
        )
    }

    /// The model it describes, with `context` tokens if given.
    pub(super) fn model(
        &self,
        path: &Path,
        context: Option<usize>,
    ) -> Result<ModelConfig, FolderError> {
        let refuse = |what: String| Err(FolderError::new(path, what));
        let arch = self.arch(path)?;
        if self.quantization_config.is_some() {
            return refuse(
                "has a quantization_config; give the model in bf16, f16 or f32".to_owned(),
            );
        }
        match self.hidden_act.as_deref() {
            None | Some("silu" | "swish") => {}
            Some(other) => {
                return refuse(format!("hidden_act is {other:?}; only silu is supported"));
            }
        }
        if self.mlp_bias == Some(true) {
            return refuse("mlp_bias is true; biases in the MLP are not supported".to_owned());
        }
        if self
            .partial_rotary_factor
            .is_some_and(|part| (part - 1.0).abs() > f64::EPSILON)
        {
            return refuse(
                "partial_rotary_factor is not 1; only rotary embeddings of whole heads are supported".to_owned(),
            );
        }
        let bias = self.attention_bias.unwrap_or(false);
        let heads = self.num_attention_heads;
        let own_context = self.max_position_embeddings.unwrap_or(match arch {
            Arch::Llama => 2048,
            Arch::Qwen2 | Arch::Qwen3 => 32_768,
        });
        let context = self.context(path, own_context, context)?;
        let (rope_theta, rope_scaling) = RopeFields {
            path,
            theta: self.rope_theta,
            scaling: self.rope_scaling.as_ref(),
            parameters: self.rope_parameters.as_ref(),
            context: own_context,
        }
        .read()?;
        let config = ModelConfig {
            arch,
            vocab_size: self.vocab_size,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            num_hidden_layers: self.num_hidden_layers,
            num_attention_heads: heads,
            num_key_value_heads: self.num_key_value_heads.unwrap_or(match arch {
                Arch::Llama => heads,
                Arch::Qwen2 | Arch::Qwen3 => 32,
            }),
            head_dim: self.head_dim.unwrap_or(match arch {
                Arch::Llama | Arch::Qwen2 => self.hidden_size / heads.max(1),
                Arch::Qwen3 => 128,
            }),
            max_position_embeddings: context,
            rms_norm_eps: self.rms_norm_eps.unwrap_or(1e-6),
            rope_theta,
            rope_scaling,
            tie_word_embeddings: self.tie_word_embeddings.unwrap_or(false),
            qkv_bias: bias || arch == Arch::Qwen2,
            o_bias: bias && arch != Arch::Qwen2,
            qk_norm: arch == Arch::Qwen3,
        };
        config
            .check()
            .map_err(|error| FolderError::new(path, "does not describe a model").because(error))?;
        Ok(config)
    }

    /// Longest sequence: the model's context, or the requested part of it.
    fn context(&self, path: &Path, own: usize, asked: Option<usize>) -> Result<usize, FolderError> {
        let most = own.min(MOST_CONTEXT);
        let context = match asked {
            Some(asked) if asked == 0 || asked > most => {
                let what =
                    format!("a context of {asked} tokens was requested; 1 to {most} are possible");
                return Err(FolderError::new(path, what));
            }
            Some(asked) => asked,
            None => most.min(DEFAULT_CONTEXT),
        };
        let slides = match &self.layer_types {
            Some(types) => types.iter().find(|kind| *kind != "full_attention"),
            None => None,
        };
        if let Some(kind) = slides.filter(|kind| *kind != "sliding_attention") {
            let what = format!("layer_types has {kind:?}; only full attention is supported");
            return Err(FolderError::new(path, what));
        }
        let is_active = slides.is_some() || self.use_sliding_window == Some(true);
        match self.sliding_window {
            // Within the window, sliding attention is full attention.
            Some(window) if is_active && context > window => Err(FolderError::new(
                path,
                format!(
                    "attention slides over {window} tokens, which is not supported; within them it is full attention, so \
                     a context of at most {window} works"
                ),
            )),
            None if slides.is_some() => Err(FolderError::new(
                path,
                "layer_types has sliding attention, but there is no sliding_window",
            )),
            _ => Ok(context),
        }
    }
}

/// The architecture, if this engine runs it.
fn arch(
    path: &Path,
    model_type: Option<&str>,
    architectures: Option<&[String]>,
) -> Result<Arch, FolderError> {
    let refuse = |what: String| Err(FolderError::new(path, what));
    let arch = match model_type {
        Some("llama") => Arch::Llama,
        Some("qwen2") => Arch::Qwen2,
        Some("qwen3") => Arch::Qwen3,
        Some(other) => {
            return refuse(format!(
                "model_type is {other:?}; this engine runs llama, qwen2 and qwen3"
            ));
        }
        None => return refuse("has no model_type".to_owned()),
    };
    let is_usual =
        |name: &&String| name.eq_ignore_ascii_case(&format!("{}ForCausalLM", arch.name()));
    match architectures
        .unwrap_or_default()
        .iter()
        .find(|name| !is_usual(name))
    {
        None => Ok(arch),
        Some(other) => refuse(format!(
            "architectures has {other:?}; of this model_type, only the language model (ForCausalLM) is supported"
        )),
    }
}

#[cfg(test)]
mod tests;
