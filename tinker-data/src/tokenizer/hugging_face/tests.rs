use serde_json::{Value, json};

use super::*;

/// A byte-level tokenizer with a few merges, and `<|end|>` and `<s>` as added tokens.
fn byte_level() -> Value {
    let mut hidden = 256..;
    let visible = |byte: u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut vocabulary = serde_json::Map::new();
    for byte in 0..=255_u8 {
        let code = if visible(byte) {
            u32::from(byte)
        } else {
            hidden.next().unwrap()
        };
        vocabulary.insert(char::from_u32(code).unwrap().to_string(), byte.into());
    }
    for (word, id) in [("Ġy", 256), ("es", 257), ("Ġyes", 258)] {
        vocabulary.insert(word.into(), id.into());
    }
    let step = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false });
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [added(259, "<s>", true), added(260, "<|end|>", true)],
        "normalizer": null, "pre_tokenizer": step, "post_processor": step, "decoder": step,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": ["Ġ y", "e s", "Ġy es"]},
    })
}

fn added(id: u32, content: &str, special: bool) -> Value {
    json!({
        "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": special,
    })
}

fn loaded(tokenizer: &Value, config: &Value) -> Result<HuggingFace, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    std::fs::write(
        folder.path().join("tokenizer_config.json"),
        config.to_string(),
    )
    .unwrap();
    HuggingFace::from_folder(folder.path()).map_err(|error| error.to_string())
}

#[test]
fn stored_truncation_and_padding_do_not_apply() {
    let text = "What is the opposite of big, please tell me now? yes";
    let plain = loaded(&byte_level(), &Value::Null).unwrap();
    let expected = plain.encode(text).unwrap();
    assert_eq!(expected.last(), Some(&258));
    let mut cut = byte_level();
    cut["truncation"] =
        json!({ "direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0 });
    let mut padded = byte_level();
    padded["padding"] = json!({
        "strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0,
        "pad_token": "!",
    });
    for file in [cut, padded] {
        let tokenizer = loaded(&file, &Value::Null).unwrap();
        assert_eq!(tokenizer.encode(text).unwrap(), expected);
        assert_eq!(
            tokenizer.encode_with_special_tokens(text).unwrap(),
            expected
        );
        let places = tokenizer.encode_with_places(text).unwrap();
        assert_eq!(places.len(), expected.len());
    }
}

#[test]
fn the_post_processor_applies_to_plain_text_only() {
    let mut file = byte_level();
    file["post_processor"] = json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [259], "tokens": ["<s>"]}},
    });
    // transformers ignores add_bos_token where there is a tokenizer.json.
    for config in [
        json!({}),
        json!({ "add_bos_token": false }),
        json!({ "add_bos_token": true }),
    ] {
        let tokenizer = loaded(&file, &config).unwrap();
        assert_eq!(tokenizer.encode(" yes").unwrap(), [258]);
        assert_eq!(
            tokenizer.encode_with_special_tokens(" yes").unwrap(),
            [259, 258]
        );
        assert_eq!(tokenizer.encode("<s> yes").unwrap(), [259, 258]);
    }
}

#[test]
fn ids_without_a_token_are_shown_as_numbers() {
    let tokenizer = loaded(&byte_level(), &Value::Null).unwrap();
    assert_eq!(tokenizer.vocab_size(), 261);
    assert_eq!(
        tokenizer.decode(&[258, 300, 4_000_000, 258, 260]).unwrap(),
        " yes<|300|><|4000000|> yes"
    );
    // A decoder that drops the space of the first word keeps it after such an id.
    let mut words = byte_level();
    let step = json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true });
    words["pre_tokenizer"] = step.clone();
    words["decoder"] = step;
    words["post_processor"] = Value::Null;
    words["model"] = json!({ "type": "WordLevel", "unk_token": "<unk>", "vocab": {"<unk>": 0, "▁a": 1, "▁b": 2} });
    words["added_tokens"] = json!([]);
    let tokenizer = loaded(&words, &Value::Null).unwrap();
    assert_eq!(tokenizer.encode("a b").unwrap(), [1, 2]);
    assert_eq!(tokenizer.decode(&[1, 2]).unwrap(), "a b");
    assert_eq!(tokenizer.decode(&[1, 9, 2]).unwrap(), "a<|9|> b");
}

#[test]
fn tokens_of_the_configuration_are_added() {
    let config = json!({
        "eos_token": "<|stop|>", "pad_token": {"content": "<|end|>"}, "additional_special_tokens": ["<|tool|>"],
    });
    let tokenizer = loaded(&byte_level(), &config).unwrap();
    assert_eq!(tokenizer.end_token(), Some(261));
    assert_eq!(
        tokenizer.encode("<|stop|> yes<|tool|><|end|>").unwrap(),
        [261, 258, 262, 260]
    );

    let mut entry = added(0, "<call>", false);
    entry.as_object_mut().unwrap().remove("id");
    let config = |id: &str| json!({ "added_tokens_decoder": { id: entry } });
    let tokenizer = loaded(&byte_level(), &config("261")).unwrap();
    assert_eq!(tokenizer.encode("<call>").unwrap(), [261]);
    assert_eq!(
        tokenizer.decode(&[261]).unwrap(),
        "<call>",
        "it is not special"
    );
    let error = loaded(&byte_level(), &config("270")).unwrap_err();
    assert!(
        error.contains("gives \"<call>\" the id 270, and tokenizer.json gives it 261"),
        "{error}"
    );
    let error = loaded(
        &byte_level(),
        &json!({ "added_tokens_decoder": { "x": entry } }),
    )
    .unwrap_err();
    assert!(error.contains("entry \"x\" that is not a token"), "{error}");
}

#[test]
fn a_file_that_was_not_fetched_is_named() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:abab\nsize 397304\n";
    let folder = tempfile::tempdir().unwrap();
    for name in ["tokenizer_config.json", "tokenizer.json"] {
        std::fs::write(
            folder.path().join("tokenizer.json"),
            byte_level().to_string(),
        )
        .unwrap();
        std::fs::write(folder.path().join(name), pointer).unwrap();
        let error = HuggingFace::from_folder(folder.path())
            .unwrap_err()
            .to_string();
        let expected = format!("{name}: is a Git LFS pointer; run `git lfs pull`");
        assert!(error.contains(&expected), "{error}");
    }
}
