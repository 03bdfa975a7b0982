//! A small model with a tokenizer that merges and has control tokens, as those of real models do.

use serde_json::{Map, Value, json};

use crate::program::Workplace;

/// `<|endoftext|>`.
pub(crate) const TEXT_END: u32 = 261;
/// `<|im_end|>`.
pub(crate) const TURN_END: u32 = 263;

/// Turns end with `<|im_end|>`.
pub(crate) const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// Answers after the last question begin with an empty thought.
pub(crate) const THINKS: &str = "{% set ns = namespace(last=-1) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and loop.index0 > ns.last %}<think>\n\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// The tokenizer: an id for each byte, the merges ` yes` and `...`, and three control tokens.
pub(crate) fn tokenizer() -> Value {
    // Printable bytes stand for themselves, the others for characters above U+0100.
    let printable = |byte: u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut above = 255;
    let letters = (0..256).map(|byte| {
        above += u32::from(!printable(byte));
        char::from_u32(if printable(byte) { byte } else { above }).unwrap()
    });
    let merges = [
        ["\u{120}", "y"],
        ["e", "s"],
        ["\u{120}y", "es"],
        [".", "."],
        ["..", "."],
    ];
    let words = letters.map(String::from);
    let words = words.chain(merges.iter().map(|pair| pair.concat()));
    let vocabulary: Map<String, Value> = words
        .zip(0_u32..)
        .map(|(word, id)| (word, id.into()))
        .collect();
    let control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
    let control = control.iter().zip(TEXT_END..).map(|(content, id)| {
        json!({
            "id": id, "content": content, "special": true, "normalized": false, "single_word": false, "lstrip": false,
            "rstrip": false,
        })
    });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": control.collect::<Vec<_>>(),
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges},
    })
}

impl Workplace {
    /// Writes a model: the weights of the built-in one, this tokenizer and template, and `end` as the end token of
    /// configuration and tokenizer.
    pub(crate) fn write_model(&self, name: &str, template: &str, end: u32, tokenizer: &Value) {
        let run = self.run(&["export", "tinker-local/tiny", "--out", name]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let folder = self.path(name);
        let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
        let mut config: Value = serde_json::from_str(&config).unwrap();
        config["eos_token_id"] = end.into();
        let eos = if end == TURN_END {
            "<|im_end|>"
        } else {
            "<|endoftext|>"
        };
        for (file, content) in [
            ("config.json", config),
            ("generation_config.json", json!({ "eos_token_id": end })),
            ("tokenizer.json", tokenizer.clone()),
            (
                "tokenizer_config.json",
                json!({ "eos_token": eos, "chat_template": template }),
            ),
        ] {
            std::fs::write(folder.join(file), content.to_string()).unwrap();
        }
    }

    /// Writes conversations of one question and one answer.
    pub(crate) fn write_chats(&self, name: &str, chats: &[(&str, &str)]) {
        let line = |(question, answer): &(&str, &str)| {
            let row = json!({"messages": [
                {"role": "user", "content": question}, {"role": "assistant", "content": answer},
            ]});
            format!("{row}\n")
        };
        self.write(name, &chats.iter().map(line).collect::<String>());
    }
}
