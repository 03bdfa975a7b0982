//! The tokens that end a turn, as the files of a model folder name them.

use std::path::Path;

use serde_json::Value;

use crate::error::ChatError;
use crate::model_file;

/// The end tokens of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// The file.
    pub(super) file: &'static str,
    /// Their ids; empty if the file says that there is none.
    pub(super) ids: Vec<u32>,
}

/// The values of `eos_token_id` in `generation_config.json` and `config.json`, for files that have the field.
pub(super) fn read(folder: &Path) -> Result<Vec<Named>, ChatError> {
    let mut named = Vec::new();
    for file in ["generation_config.json", "config.json"] {
        let path = folder.join(file);
        let refuse = |reason: String| ChatError::new(format!("{}: {reason}", path.display()));
        let Some(bytes) = model_file::read(&path)? else {
            continue;
        };
        let config: Value = serde_json::from_slice(&bytes)
            .map_err(|error| refuse("is not valid JSON".into()).with_source(error))?;
        // Models for several modalities keep the settings of the language model apart.
        let fields = [&config, &config["text_config"]];
        let Some(value) = fields
            .into_iter()
            .find_map(|fields| fields.get("eos_token_id"))
        else {
            continue;
        };
        let ids = match value {
            Value::Null => Vec::new(),
            Value::Array(ids) => ids.clone(),
            id => vec![id.clone()],
        };
        let vocabulary = fields
            .into_iter()
            .find_map(|fields| fields["vocab_size"].as_u64());
        let mut known = Vec::with_capacity(ids.len());
        for id in ids {
            let parsed = id.as_u64().and_then(|id| u32::try_from(id).ok());
            let parsed = parsed
                .ok_or_else(|| refuse(format!("eos_token_id has {id}, which is not a token id")))?;
            if let Some(size) = vocabulary.filter(|size| u64::from(parsed) >= *size) {
                return Err(refuse(format!(
                    "eos_token_id is {parsed}, but the vocabulary has {size} tokens; correct the file"
                )));
            }
            known.push(parsed);
        }
        named.push(Named { file, ids: known });
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_config(config: &str) -> Result<Vec<Named>, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        read(folder.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn each_form_of_the_field_is_read() {
        for (config, ids) in [
            (r#"{"eos_token_id": 7}"#, &[7][..]),
            (r#"{"eos_token_id": [7, 3], "vocab_size": 8}"#, &[7, 3]),
            (r#"{"eos_token_id": []}"#, &[]),
            (r#"{"eos_token_id": null}"#, &[]),
            (r#"{"text_config": {"eos_token_id": 4}}"#, &[4]),
        ] {
            let named = read_config(config).unwrap();
            assert_eq!(named.len(), 1, "{config}");
            assert_eq!((named[0].file, &named[0].ids[..]), ("config.json", ids));
        }
        assert_eq!(read_config("{}"), Ok(Vec::new()));
    }

    #[test]
    fn ids_that_cannot_be_are_refused() {
        for (config, reason) in [
            (
                r#"{"eos_token_id": 99999, "vocab_size": 288}"#,
                "eos_token_id is 99999, but the vocabulary has 288",
            ),
            (r#"{"eos_token_id": -1}"#, "eos_token_id has -1"),
            (r#"{"eos_token_id": "</s>"}"#, r#"eos_token_id has "</s>""#),
            ("[", "is not valid JSON"),
        ] {
            let error = read_config(config).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
