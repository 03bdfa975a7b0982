//! Tokenizers that put a space before a text, and the same without it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenizers::Tokenizer;

/// The same tokenizer for a text that continues another one: no space is put before it. `None` if `tokenizer` puts none
/// before any text.
pub(super) fn without_prefix_space(tokenizer: &Tokenizer) -> tokenizers::Result<Option<Tokenizer>> {
    let pre_tokenizer = patched(tokenizer.get_pre_tokenizer())?;
    let normalizer = patched(tokenizer.get_normalizer())?;
    if pre_tokenizer.is_none() && normalizer.is_none() {
        return Ok(None);
    }
    let mut without = tokenizer.clone();
    if pre_tokenizer.is_some() {
        without.with_pre_tokenizer(pre_tokenizer);
    }
    if normalizer.is_some() {
        without.with_normalizer(normalizer)?;
    }
    Ok(Some(without))
}

/// The part without a prefix, or `None` if it has none.
fn patched<T: Serialize + DeserializeOwned>(part: Option<&T>) -> tokenizers::Result<Option<T>> {
    let Some(part) = part else { return Ok(None) };
    let mut value = serde_json::to_value(part)?;
    if !remove_prefix(&mut value) {
        return Ok(None);
    }
    Ok(Some(serde_json::from_value(value)?))
}

/// Switches prefixes off in the JSON form of a normalizer or pre-tokenizer. True if there was one.
fn remove_prefix(value: &mut Value) -> bool {
    match value["type"].as_str() {
        Some("Sequence") => {
            let parts = ["normalizers", "pretokenizers"]
                .into_iter()
                .find(|key| value[*key].is_array());
            let parts = parts.and_then(|key| value[key].as_array_mut());
            let parts = parts.into_iter().flatten();
            parts.fold(false, |any, part| remove_prefix(part) | any)
        }
        Some("ByteLevel") if value["add_prefix_space"] == true => {
            value["add_prefix_space"] = false.into();
            true
        }
        Some("Metaspace") if value["prepend_scheme"] != "never" => {
            value["prepend_scheme"] = "never".into();
            true
        }
        Some("Prepend") if value["prepend"] != "" => {
            value["prepend"] = "".into();
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokenizer(normalizer: &Value, pre_tokenizer: &Value) -> Tokenizer {
        let json = serde_json::json!({
            "version": "1.0", "added_tokens": [], "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer, "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "vocab": {"\u{2581}a": 0, "a": 1, "?": 2, "\u{120}a": 3}, "unk_token": "?"}
        });
        json.to_string().parse().unwrap()
    }

    #[test]
    fn a_continued_text_gets_no_space_before_it() {
        let byte_level = |prefix: bool| serde_json::json!({"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true, "use_regex": false});
        let metaspace = |scheme: &str| serde_json::json!({"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": scheme, "split": false});
        let prepend = serde_json::json!({"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "\u{2581}"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "\u{2581}"}
        ]});
        let sequence =
            serde_json::json!({"type": "Sequence", "pretokenizers": [metaspace("first")]});
        for (normalizer, pre_tokenizer, first) in [
            (Value::Null, byte_level(true), 3),
            (Value::Null, metaspace("always"), 0),
            (Value::Null, sequence, 0),
            (prepend, Value::Null, 0),
        ] {
            let tokenizer = tokenizer(&normalizer, &pre_tokenizer);
            let ids =
                |tokenizer: &Tokenizer| tokenizer.encode("a", false).unwrap().get_ids().to_vec();
            assert_eq!(ids(&tokenizer), [first], "{pre_tokenizer}");
            let without = without_prefix_space(&tokenizer).unwrap().unwrap();
            assert_eq!(ids(&without), [1], "{pre_tokenizer}");
        }
        for part in [byte_level(false), metaspace("never"), Value::Null] {
            let tokenizer = tokenizer(&Value::Null, &part);
            assert!(
                without_prefix_space(&tokenizer).unwrap().is_none(),
                "{part}"
            );
        }
    }
}
