//! Fields of `config.json` that do not change what this engine computes.

use std::path::Path;

use serde_json::{Map, Value};

use super::error::FolderError;

/// Fields with no effect on the model's numbers, whatever their value.
const ANY: &[&str] = &[
    // Names, versions and number formats.
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_commit_hash",
    "_flash_attn_2_enabled",
    "_name_or_path",
    "attn_implementation",
    "dtype",
    "finetuning_task",
    "is_llama_config",
    "name_or_path",
    "torch_dtype",
    "transformers.js_config",
    "transformers_version",
    "unsloth_fixed",
    "unsloth_version",
    "use_bfloat16",
    // Labels of classifiers.
    "id2label",
    "label2id",
    "problem_type",
    "task_specific_params",
    // Tokens and lengths; the tokenizer's files and the request decide.
    "bos_token_id",
    "decoder_start_token_id",
    "max_sequence_length",
    "model_max_length",
    "pad_token_id",
    "prefix",
    "sep_token_id",
    "tokenizer_class",
    // Starting values and execution of training in Python.
    "gradient_checkpointing",
    "initializer_range",
    "is_decoder",
    "output_attentions",
    "output_hidden_states",
    "pretraining_tp",
    "return_dict",
    "tf_legacy_loss",
    "torchscript",
    "use_cache",
    // The last layers that slide; within its window, sliding attention is full attention.
    "max_window_layers",
    // Settings of generation; the request decides.
    "bad_words_ids",
    "begin_suppress_tokens",
    "diversity_penalty",
    "do_sample",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "exponential_decay_length_penalty",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "length_penalty",
    "max_length",
    "min_length",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_return_sequences",
    "output_scores",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict_in_generate",
    "suppress_tokens",
    "temperature",
    "top_k",
    "top_p",
    "typical_p",
];

/// Fields that switch something on that this engine lacks, with the JSON that switches it off.
const OFF: &[(&str, &str)] = &[
    ("add_cross_attention", "false"),
    ("attention_dropout", "0"),
    ("attn_pdrop", "0"),
    ("auto_map", "{}"),
    ("chunk_size_feed_forward", "0"),
    ("embd_pdrop", "0"),
    ("hidden_dropout", "0"),
    ("is_causal", "true"),
    ("is_encoder_decoder", "false"),
    ("pruned_heads", "{}"),
    ("resid_pdrop", "0"),
    ("rope_interleaved", "false"),
    ("tie_encoder_decoder", "false"),
    ("use_mrope", "false"),
];

/// Checks that every field is one of `used`, known to be harmless, or `null`.
pub(super) fn check(
    path: &Path,
    fields: &Map<String, Value>,
    used: &[&str],
) -> Result<(), FolderError> {
    let is_known = |(name, value): &(&String, &Value)| {
        let name = name.as_str();
        let is_off = || OFF.iter().any(|(off, at)| *off == name && is(value, at));
        value.is_null() || used.contains(&name) || ANY.contains(&name) || is_off()
    };
    let Some((name, value)) = fields.iter().find(|field| !is_known(field)) else {
        return Ok(());
    };
    let value = short(value);
    let what = match OFF.iter().find(|(off, _)| off == name) {
        Some((_, off)) => format!("{name} is {value}; only {off} is supported"),
        None => format!(
            "{name} is {value}, a field that this engine does not know; if the model computes the same without it, \
             remove it from the file"
        ),
    };
    Err(FolderError::new(path, what))
}

/// Whether a value is this JSON; numbers may be written as integers or with a point.
fn is(value: &Value, json: &str) -> bool {
    match value.as_f64() {
        Some(number) => json.parse() == Ok(number),
        None => serde_json::from_str::<Value>(json).is_ok_and(|off| off == *value),
    }
}

/// A value as JSON, shortened for a message.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(file: &Value) -> Result<(), String> {
        let fields = file.as_object().unwrap();
        let checked = check(Path::new("config.json"), fields, &["vocab_size"]);
        checked.map_err(|error| error.to_string())
    }

    #[test]
    fn harmless_fields_pass() {
        for name in ANY {
            for value in [json!(true), json!(3), json!("x"), json!({ "a": [1] })] {
                assert_eq!(checked(&json!({ *name: value })), Ok(()));
            }
        }
        for (name, off) in OFF {
            let off: Value = serde_json::from_str(off).unwrap();
            assert_eq!(checked(&json!({ *name: off })), Ok(()));
        }
        assert_eq!(checked(&json!({ "attention_dropout": 0.0 })), Ok(()));
        assert_eq!(
            checked(&json!({ "vocab_size": 9, "anything": null })),
            Ok(())
        );
    }

    #[test]
    fn unknown_fields_are_named() {
        for (file, part) in [
            (
                json!({ "final_logit_softcapping": 30.0 }),
                "final_logit_softcapping is 30.0, a field that this engine does not know",
            ),
            (json!({ "use_something": false }), "use_something is false"),
            (
                json!({ "attention_dropout": 0.1 }),
                "attention_dropout is 0.1; only 0 is supported",
            ),
            (
                json!({ "is_causal": false }),
                "is_causal is false; only true",
            ),
            (
                json!({ "auto_map": { "AutoModelForCausalLM": "modeling.Model" } }),
                "auto_map is {\"AutoModelForCausalLM\":\"modeling.Model\"}; only {} is supported",
            ),
            (json!({ "x": "é".repeat(200) }), "..."),
        ] {
            let error = checked(&file).unwrap_err();
            assert!(error.contains(part) && error.len() < 300, "{file}: {error}");
        }
    }

    #[test]
    fn each_name_is_listed_once() {
        let mut names: Vec<&str> = OFF.iter().map(|(name, _)| *name).collect();
        names.extend(ANY);
        let listed = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), listed);
    }
}
