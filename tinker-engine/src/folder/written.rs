//! Configuration and tokenizer files of the built-in model and of random models.

use serde_json::{Map, Value, json};

use super::vocabulary::is_visible;
use crate::base::{ByteVocabulary, END};
use crate::model::{Arch, ModelConfig, RopeScaling};

impl ModelConfig {
    /// The `config.json` of this model, with weights stored as `dtype`.
    pub(crate) fn to_file(&self, dtype: &str) -> Value {
        let architecture = match self.arch {
            Arch::Llama => "LlamaForCausalLM",
            Arch::Qwen2 => "Qwen2ForCausalLM",
            Arch::Qwen3 => "Qwen3ForCausalLM",
        };
        let mut file = json!({
            "architectures": [architecture],
            "model_type": self.arch.name(),
            "torch_dtype": dtype,
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "num_key_value_heads": self.num_key_value_heads,
            "head_dim": self.head_dim,
            "max_position_embeddings": self.max_position_embeddings,
            "rms_norm_eps": number(self.rms_norm_eps),
            "rope_theta": self.rope_theta,
            "rope_scaling": self.rope_scaling.to_file(),
            "tie_word_embeddings": self.tie_word_embeddings,
            "attention_bias": self.o_bias,
            "hidden_act": "silu",
            "attention_dropout": 0.0,
            "use_cache": true,
        });
        if self.vocab_size >= ByteVocabulary::VOCAB_SIZE {
            file["eos_token_id"] = END.into();
        }
        file
    }
}

/// The shortest decimal that rounds to this f32: 1e-6, not 9.999999974752427e-7.
fn number(x: f32) -> f64 {
    x.to_string().parse().unwrap_or(f64::from(x))
}

impl RopeScaling {
    fn to_file(self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Linear { factor } => json!({ "rope_type": "linear", "factor": factor }),
            Self::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_position_embeddings,
            } => json!({
                "rope_type": "llama3",
                "factor": factor,
                "low_freq_factor": low_freq_factor,
                "high_freq_factor": high_freq_factor,
                "original_max_position_embeddings": original_max_position_embeddings,
            }),
        }
    }
}

/// `tokenizer.json` of the built-in model: bytes without merges, and the end token.
pub(crate) fn byte_level_tokenizer() -> Value {
    let mut hidden = 256..;
    let vocabulary: Map<String, Value> = (0..=255_u8)
        .filter_map(|byte| {
            let code = if is_visible(byte) {
                u32::from(byte)
            } else {
                hidden.next()?
            };
            Some((char::from_u32(code)?.to_string(), byte.into()))
        })
        .collect();
    let byte_level = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false });
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [{
            "id": END, "content": ByteVocabulary::END_TEXT, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        }],
        "normalizer": null,
        "pre_tokenizer": byte_level,
        "post_processor": null,
        "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocabulary, "merges": [],
        },
    })
}

/// `tokenizer_config.json` of the built-in model, with the chat template it was trained on.
pub(crate) fn tokenizer_config() -> Value {
    let template = "{% for message in messages %}\
        {% if message['role'] == 'assistant' %}{{ 'Assistant: ' + message['content'] + eos_token + '\\n' }}\
        {% else %}{{ message['role'] | capitalize + ': ' + message['content'] + '\\n' }}{% endif %}\
        {% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}";
    json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": ByteVocabulary::END_TEXT,
        "model_max_length": 1_000_000,
        "clean_up_tokenization_spaces": false,
        "chat_template": template,
    })
}
