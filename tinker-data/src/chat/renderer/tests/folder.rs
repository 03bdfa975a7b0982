use serde_json::Value;

use super::*;
use crate::tokenizer::Tokenizer;

/// A folder with a word-level tokenizer, which has the marks of a chat as tokens, and a template.
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
    std::fs::write(
        folder.path().join("tokenizer_config.json"),
        config.to_string(),
    )
    .unwrap();
    folder
}

#[test]
fn a_folder_gives_prompts_and_weighted_examples() {
    let folder = folder();
    let chat = Renderer::from_folder(folder.path()).unwrap();
    let prompt = chat
        .prompt(&[Message::user("Hi")].into())
        .unwrap()
        .to_tokens()
        .unwrap();
    assert_eq!(prompt, [7, 1, 3, 4, 8, 3, 7, 2, 3]);

    let examples = chat
        .supervised(&[Message::user("Hi"), Message::assistant("Hello")].into())
        .unwrap();
    let datum = &examples[0].datum;
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
