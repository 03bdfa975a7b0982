//! Files beside the tokenizer in the folder of a Hugging Face model.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::error::ChatError;
use crate::model_file;

/// The `tokenizer_config.json` of a model folder.
#[derive(Debug)]
pub(crate) struct TokenizerConfig(Value);

impl TokenizerConfig {
    /// Reads the file. A folder without one has no special tokens and no template.
    pub(crate) fn read(folder: &Path) -> Result<Self, ChatError> {
        let path = folder.join("tokenizer_config.json");
        let Some(bytes) = model_file::read(&path)? else {
            return Ok(Self(Value::Null));
        };
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            ChatError::new(format!("{}: is not valid JSON", path.display())).with_source(error)
        })
    }

    /// A field of the file; null if it is absent.
    #[cfg(feature = "tokenizers")]
    pub(crate) fn field(&self, name: &str) -> &Value {
        &self.0[name]
    }

    /// Names such as `eos_token` with their tokens, which the file holds as text or under `content`.
    pub(crate) fn special_tokens(&self) -> BTreeMap<String, String> {
        let fields = self.0.as_object().into_iter().flatten();
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

    /// Source of the chat template: a text, or the one called `default` in a list of several.
    #[cfg(feature = "templates")]
    pub(crate) fn chat_template(&self) -> Option<String> {
        match &self.0["chat_template"] {
            Value::String(source) => Some(source.clone()),
            Value::Array(several) => several
                .iter()
                .find(|entry| entry["name"] == "default")
                .and_then(|entry| entry["template"].as_str())
                .map(str::to_owned),
            _ => None,
        }
    }
}
