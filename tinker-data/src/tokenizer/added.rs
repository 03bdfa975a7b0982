//! Tokens that `tokenizer_config.json` adds to those of `tokenizer.json`, as in `transformers`.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use tokenizers::{AddedToken, Tokenizer};

use crate::error::ChatError;
use crate::model_folder::TokenizerConfig;

/// Tokens with a role of their own.
const NAMED: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

/// Lists of further special tokens, the newer name first.
const FURTHER: [&str; 2] = ["extra_special_tokens", "additional_special_tokens"];

/// Adds the tokens of `added_tokens_decoder` and the special tokens that `tokenizer.json` lacks.
///
/// # Errors
/// A token that would have another id than the file says, or an entry that is not a token.
pub(super) fn add_configured(
    tokenizer: &mut Tokenizer,
    config: &TokenizerConfig,
    folder: &Path,
) -> Result<(), ChatError> {
    let path = folder.join("tokenizer_config.json");
    let refuse = |what: String| ChatError::new(format!("{}: {what}", path.display()));
    let mut listed = Vec::new();
    let entries = config.field("added_tokens_decoder").as_object();
    for (id, value) in entries.into_iter().flatten() {
        let what = || {
            refuse(format!(
                "added_tokens_decoder has an entry {id:?} that is not a token"
            ))
        };
        let number: u32 = id.parse().map_err(|error| what().with_source(error))?;
        let token = AddedToken::deserialize(value).map_err(|error| what().with_source(error))?;
        listed.push((number, token));
    }
    listed.sort_by_key(|(id, _)| *id);
    let unfit = |error| refuse("its tokens cannot be added".to_owned()).with_source(error);
    let tokens = listed.iter().map(|(_, token)| token.clone());
    tokenizer.add_tokens(tokens).map_err(unfit)?;
    for (id, token) in &listed {
        let found = tokenizer.token_to_id(&token.content);
        if found != Some(*id) {
            let content = &token.content;
            let found = found.map_or("none".to_owned(), |id| id.to_string());
            return Err(refuse(format!(
                "added_tokens_decoder gives {content:?} the id {id}, and tokenizer.json gives it {found}"
            )));
        }
    }

    let further = FURTHER.map(|name| config.field(name));
    let further = further.into_iter().find(|value| !value.is_null());
    let further: Vec<&Value> = match further {
        Some(Value::Array(tokens)) => tokens.iter().collect(),
        Some(Value::Object(named)) => named.values().collect(),
        _ => Vec::new(),
    };
    let special = NAMED.iter().map(|name| config.field(name)).chain(further);
    let contents = special.filter_map(|value| value.as_str().or(value["content"].as_str()));
    let added = tokenizer.get_added_vocabulary().get_vocab();
    let missing: Vec<AddedToken> = contents
        .filter(|content| !added.contains_key(*content))
        .map(|content| AddedToken::from(content, true))
        .collect();
    tokenizer.add_special_tokens(missing).map_err(unfit)?;
    Ok(())
}
