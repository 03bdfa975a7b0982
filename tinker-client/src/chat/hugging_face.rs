//! Tokenizers and templates of Hugging Face models.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde_json::Value;

use super::{ChatError, Template};

const CONFIG: &str = "tokenizer_config.json";

/// A tokenizer from its `tokenizer.json`.
pub(super) struct HuggingFace {
    tokenizer: tokenizers::Tokenizer,
    end: Option<u32>,
}

impl HuggingFace {
    pub(super) fn from_folder(folder: &Path) -> Result<Self, ChatError> {
        let path = folder.join("tokenizer.json");
        let tokenizer = tokenizers::Tokenizer::from_file(&path).map_err(|error| {
            ChatError::new(format!("{}: no usable tokenizer", path.display())).because(error)
        })?;
        let end = special_tokens(&config(folder)?)
            .get("eos_token")
            .and_then(|token| tokenizer.token_to_id(token));
        Ok(Self { tokenizer, end })
    }

    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        // Templates write the special tokens themselves.
        let encoding = self.tokenizer.encode_fast(text, false).map_err(refuse)?;
        Ok(encoding.get_ids().to_vec())
    }

    pub(super) fn encode_with_starts(&self, text: &str) -> Result<Vec<(u32, usize)>, ChatError> {
        let encoding = self.tokenizer.encode(text, false).map_err(refuse)?;
        let starts = encoding.get_offsets().iter().map(|(start, _)| *start);
        Ok(encoding.get_ids().iter().copied().zip(starts).collect())
    }

    pub(super) fn decode(&self, tokens: &[u32]) -> Result<String, ChatError> {
        self.tokenizer.decode(tokens, true).map_err(refuse)
    }

    pub(super) fn end_token(&self) -> Option<u32> {
        self.end
    }
}

impl fmt::Debug for HuggingFace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HuggingFace")
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

/// The template of the model in `folder`: `chat_template.jinja`, else the one in its configuration.
pub(super) fn template(folder: &Path) -> Result<Template, ChatError> {
    let config = config(folder)?;
    let path = folder.join("chat_template.jinja");
    let source = if path.exists() {
        std::fs::read_to_string(&path).map_err(|error| {
            ChatError::new(format!("{}: unreadable", path.display())).because(error)
        })?
    } else {
        named_template(&config["chat_template"]).ok_or_else(|| {
            let what = "has neither chat_template.jinja nor a chat_template in tokenizer_config.json; \
                        choose a template with Renderer::new";
            ChatError::new(format!("{}: {what}", folder.display()))
        })?
    };
    Template::jinja(&source, special_tokens(&config))
}

/// A template as text, or the one called `default` in a list of several.
fn named_template(value: &Value) -> Option<String> {
    match value {
        Value::String(source) => Some(source.clone()),
        Value::Array(several) => several
            .iter()
            .find(|entry| entry["name"] == "default")
            .and_then(|entry| entry["template"].as_str())
            .map(str::to_owned),
        _ => None,
    }
}

/// Names like `eos_token`, with their tokens as text or under `content`.
fn special_tokens(config: &Value) -> BTreeMap<String, String> {
    let fields = config.as_object().into_iter().flatten();
    let token = |value: &Value| {
        value
            .as_str()
            .or(value["content"].as_str())
            .map(str::to_owned)
    };
    fields
        .filter(|(name, _)| name.ends_with("_token"))
        .filter_map(|(name, value)| Some((name.clone(), token(value)?)))
        .collect()
}

/// The configuration next to the tokenizer; a folder without one has no special tokens.
fn config(folder: &Path) -> Result<Value, ChatError> {
    let path = folder.join(CONFIG);
    let refuse = |what: &str| ChatError::new(format!("{}: {what}", path.display()));
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| refuse("not JSON").because(e)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Value::Null),
        Err(error) => Err(refuse("unreadable").because(error)),
    }
}

fn refuse(error: tokenizers::Error) -> ChatError {
    ChatError::new("the tokenizer does not take this").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Message, Renderer, Tokenizer};

    /// A word-level tokenizer that also knows the marks of a chat.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let words = [
            "<unk>",
            "user",
            "assistant",
            "\n",
            "Hi",
            "Hello",
            "Yo",
            "<|im_start|>",
            "<|im_end|>",
        ];
        let vocabulary: serde_json::Map<String, Value> = words
            .iter()
            .zip(0_u32..)
            .map(|(word, id)| ((*word).to_owned(), id.into()))
            .collect();
        let added = |id: u32, content: &str| {
            serde_json::json!({
                "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true
            })
        };
        let tokenizer = serde_json::json!({
            "version": "1.0", "truncation": null, "padding": null,
            "added_tokens": [added(7, "<|im_start|>"), added(8, "<|im_end|>")],
            "normalizer": null,
            "pre_tokenizer": {"type": "Split", "pattern": {"String": "\n"}, "behavior": "Isolated", "invert": false},
            "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"}
        });
        let config = serde_json::json!({
            "eos_token": {"content": "<|im_end|>"},
            "chat_template": "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
        });
        std::fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
        std::fs::write(folder.path().join(CONFIG), config.to_string()).unwrap();
        folder
    }

    #[test]
    fn a_folder_gives_prompts_and_weighted_examples() {
        let folder = folder();
        let chat = Renderer::from_folder(folder.path()).unwrap();
        let prompt = chat
            .prompt(&[Message::user("Hi")])
            .unwrap()
            .to_tokens()
            .unwrap();
        assert_eq!(prompt, [7, 1, 3, 4, 8, 3, 7, 2, 3]);

        let datum = chat
            .supervised(&[Message::user("Hi"), Message::assistant("Hello")])
            .unwrap();
        assert_eq!(
            datum.model_input.to_tokens().unwrap(),
            [7, 1, 3, 4, 8, 3, 7, 2, 3, 5]
        );
        let weights = datum.loss_fn_inputs["weights"].as_f32().unwrap();
        assert_eq!(weights, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        assert_eq!(chat.answer(&[6, 8]).unwrap(), "Yo");
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Tokenizer::from_folder(folder.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("tokenizer.json"), "{error}");
        let error = Renderer::from_folder(folder.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("chat_template"), "{error}");
    }
}
