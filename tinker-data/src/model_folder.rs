//! Files beside the tokenizer in the folder of a Hugging Face model.

use std::collections::BTreeMap;
use std::path::Path;
#[cfg(feature = "templates")]
use std::path::PathBuf;

use serde_json::Value;

use crate::error::ChatError;
use crate::model_file;

/// The `tokenizer_config.json` of a model folder, with what older folders keep beside it.
#[derive(Debug)]
pub(crate) struct TokenizerConfig {
    #[cfg(feature = "templates")]
    path: PathBuf,
    fields: Value,
    /// Fields of `special_tokens_map.json`, which count in folders whose tokenizer configuration has no
    /// `added_tokens_decoder`.
    older: Value,
}

impl TokenizerConfig {
    /// Reads the files. A folder without them has no special tokens and no template.
    pub(crate) fn read(folder: &Path) -> Result<Self, ChatError> {
        let path = folder.join("tokenizer_config.json");
        let fields = json(&path)?;
        let older = match &fields["added_tokens_decoder"] {
            Value::Null => json(&folder.join("special_tokens_map.json"))?,
            _ => Value::Null,
        };
        Ok(Self {
            #[cfg(feature = "templates")]
            path,
            fields,
            older,
        })
    }

    /// A file of the same form elsewhere.
    #[cfg(feature = "templates")]
    pub(crate) fn read_file(path: &Path) -> Result<Self, ChatError> {
        Ok(Self {
            path: path.to_owned(),
            fields: json(path)?,
            older: Value::Null,
        })
    }

    /// A field of the file; null if it is absent.
    #[cfg(feature = "tokenizers")]
    pub(crate) fn field(&self, name: &str) -> &Value {
        &self.fields[name]
    }

    /// The content of the files.
    #[cfg(feature = "tokenizers")]
    pub(crate) fn text(&self) -> String {
        format!("{}\n{}", self.fields, self.older)
    }

    /// Names such as `eos_token` with their tokens, which the files hold as text or under `content`.
    pub(crate) fn special_tokens(&self) -> BTreeMap<String, String> {
        let mut all = tokens(&self.fields);
        all.extend(tokens(&self.older));
        // Models for images and sound name more of them here.
        let extra = self.fields["extra_special_tokens"].as_object();
        for (name, token) in extra.into_iter().flatten() {
            if let Some(token) = token.as_str().or(token["content"].as_str()) {
                all.insert(name.clone(), token.to_owned());
            }
        }
        all
    }

    /// The chat templates under `chat_template` with their names: one text called `default`, or a list of several.
    #[cfg(feature = "templates")]
    pub(crate) fn chat_templates(&self) -> Result<Vec<(String, String)>, ChatError> {
        let several = match &self.fields["chat_template"] {
            Value::Null => return Ok(Vec::new()),
            Value::String(source) => return Ok(vec![("default".to_owned(), source.clone())]),
            Value::Array(several) => several,
            _ => return Err(self.refuse("chat_template is neither text nor a list")),
        };
        let named = |entry: &Value| {
            let (name, template) = (entry["name"].as_str()?, entry["template"].as_str()?);
            Some((name.to_owned(), template.to_owned()))
        };
        let named: Option<_> = several.iter().map(named).collect();
        named.ok_or_else(|| {
            self.refuse("an entry of the list chat_template is not of the form {\"name\": .., \"template\": ..}")
        })
    }

    #[cfg(feature = "templates")]
    fn refuse(&self, reason: &str) -> ChatError {
        ChatError::new(format!("{}: {reason}", self.path.display()))
    }
}

/// Special tokens of an object, by their names.
fn tokens(fields: &Value) -> BTreeMap<String, String> {
    let token = |value: &Value| {
        let text = value.as_str().or(value["content"].as_str());
        text.map(str::to_owned)
    };
    let fields = fields.as_object().into_iter().flatten();
    fields
        .filter(|(name, _)| name.ends_with("_token"))
        .filter_map(|(name, value)| Some((name.clone(), token(value)?)))
        .collect()
}

/// A JSON file; null if it does not exist.
fn json(path: &Path) -> Result<Value, ChatError> {
    let Some(bytes) = model_file::read(path)? else {
        return Ok(Value::Null);
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        ChatError::new(format!("{}: is not valid JSON", path.display())).with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_tokens_come_from_both_files() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write(
            "tokenizer_config.json",
            r#"{"eos_token": {"content": "</s>"}, "bos_token": null, "pad_token": "a",
                "extra_special_tokens": {"image_token": "<i>"}}"#,
        );
        write(
            "special_tokens_map.json",
            r#"{"pad_token": "b", "unk_token": "<unk>"}"#,
        );
        let tokens = || {
            TokenizerConfig::read(folder.path())
                .unwrap()
                .special_tokens()
        };
        let expected = [
            ("eos_token", "</s>"),
            ("image_token", "<i>"),
            ("pad_token", "b"),
            ("unk_token", "<unk>"),
        ];
        let expected = expected.map(|(name, token)| (name.to_owned(), token.to_owned()));
        assert_eq!(tokens(), expected.into());
        write(
            "tokenizer_config.json",
            r#"{"pad_token": "a", "added_tokens_decoder": {}}"#,
        );
        assert_eq!(tokens(), [("pad_token".to_owned(), "a".to_owned())].into());
    }
}
