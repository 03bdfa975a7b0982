//! A small tokenizer that merges, as those of real models do.

use std::path::Path;

use serde_json::{Value, json};

use super::*;

/// `<|endoftext|>`.
pub(super) const TEXT_END: u32 = 261;
/// `<|im_end|>`.
pub(super) const TURN_END: u32 = 263;
/// ` yes`.
const YES: u32 = 258;

pub(super) const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// Rewrites earlier turns: only the answers after the last question begin with an empty thought.
pub(super) const REWRITES: &str = "{% set ns = namespace(last=-1) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and loop.index0 > ns.last %}<think>\n\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// A byte-level tokenizer with the merges ` yes` and `...`, and three control tokens.
pub(super) fn tokenizer(trim_offsets: bool) -> Value {
    // Printable bytes stand for themselves, the others for characters above U+0100.
    let printable = |byte: u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut above = 255;
    let mut letters: Vec<char> = (0..256)
        .map(|byte| {
            above += u32::from(!printable(byte));
            char::from_u32(if printable(byte) { byte } else { above }).unwrap()
        })
        .collect();
    letters.sort_unstable();
    let merges = [
        ["\u{120}", "y"],
        ["e", "s"],
        ["\u{120}y", "es"],
        [".", "."],
        ["..", "."],
    ];
    let words = letters.iter().map(char::to_string);
    let words = words.chain(merges.iter().map(|pair| pair.concat()));
    let vocabulary: serde_json::Map<String, Value> = words
        .zip(0_u32..)
        .map(|(word, id)| (word, id.into()))
        .collect();
    let added = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        .iter()
        .zip(TEXT_END..);
    let added: Vec<Value> = added
        .map(|(content, id)| {
            json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": true})
        })
        .collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": trim_offsets, "use_regex": false},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges}
    })
}

fn write(folder: &Path, file: &str, content: &Value) {
    std::fs::write(folder.join(file), content.to_string()).unwrap();
}

/// The renderer of a folder with these files besides the tokenizer.
pub(super) fn renderer_with(
    tokenizer: &Value,
    template: &str,
    eos: &str,
    files: &[(&str, Value)],
) -> Renderer {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "tokenizer.json", tokenizer);
    let eos = Some(eos).filter(|eos| !eos.is_empty());
    let config = json!({"eos_token": eos, "chat_template": template});
    write(folder.path(), "tokenizer_config.json", &config);
    for (file, content) in files {
        write(folder.path(), file, content);
    }
    Renderer::from_folder(folder.path()).unwrap()
}

pub(super) fn renderer(template: &str) -> Renderer {
    renderer_with(&tokenizer(false), template, "<|im_end|>", &[])
}

/// All tokens of an example, and those that are learned.
pub(super) fn tokens(example: &EncodedExample) -> (Vec<u32>, Vec<u32>) {
    let mut all = example.datum.model_input.to_tokens().unwrap();
    let targets = example.datum.loss_fn_inputs["target_tokens"]
        .as_i64()
        .unwrap();
    let targets: Vec<u32> = targets.iter().map(|token| *token as u32).collect();
    all.extend(targets.last());
    let weights = example.datum.loss_fn_inputs["weights"].as_f32().unwrap();
    let pairs = targets.iter().zip(weights);
    let learned = pairs
        .filter(|(_, weight)| **weight > 0.0)
        .map(|(token, _)| *token);
    (all, learned.collect())
}

/// Text of tokens with the control tokens.
pub(super) fn shown(renderer: &Renderer, tokens: &[u32]) -> String {
    let tokenizer = &renderer.tokenizer;
    let runs = tokens.chunk_by(|a, b| !tokenizer.is_control(*a) && !tokenizer.is_control(*b));
    let show = |run: &[u32]| match run {
        [token] if tokenizer.is_control(*token) => tokenizer.written(*token).unwrap(),
        run => tokenizer.decode(run).unwrap(),
    };
    runs.map(show).collect()
}

/// Context and learned text of each example of a conversation.
pub(super) fn learned(
    renderer: &Renderer,
    conversation: &Conversation,
    learn: Learn,
) -> Vec<(String, String)> {
    let examples = renderer
        .clone()
        .with_learn(learn)
        .supervised(conversation)
        .unwrap();
    let texts = examples.iter().map(|example| {
        let (all, learned) = tokens(example);
        let learned = shown(renderer, &learned);
        (shown(renderer, &all), learned)
    });
    texts.collect()
}

pub(super) fn exchanges(pairs: &[(&str, &str)]) -> Conversation {
    let messages = pairs.iter();
    let messages =
        messages.flat_map(|(user, answer)| [Message::user(*user), Message::assistant(*answer)]);
    messages.collect::<Vec<_>>().into()
}

#[test]
fn every_token_of_a_completion_is_learned_after_the_prompt_as_sampled() {
    for trim_offsets in [false, true] {
        let renderer = renderer_with(&tokenizer(trim_offsets), CHATML, "<|im_end|>", &[]);
        let sent = renderer.text("Is it? ").unwrap().to_tokens().unwrap();
        let example = renderer.completion("Is it? ", "yes").unwrap();
        let (all, learned) = tokens(&example);
        assert_eq!(all[..sent.len()], sent);
        assert_eq!(learned, all[sent.len()..]);
        assert_eq!(shown(&renderer, &learned), "yes<|im_end|>");
        assert_eq!((example.learned, example.merged_seams), (3, 1));

        let example = renderer.completion("Is it?", " yes").unwrap();
        let (all, learned) = tokens(&example);
        assert_eq!(learned, [YES, TURN_END]);
        assert_eq!(shown(&renderer, &all), "Is it? yes<|im_end|>");
        assert_eq!(example.merged_seams, 0);
    }
}

#[test]
fn the_same_seam_in_a_chat() {
    let template = CHATML
        .replace("assistant\\n", "assistant ")
        .replace("role }}\n", "role }} ");
    let template = template.replace("assistant\n", "assistant ");
    let renderer = renderer(&template);
    let conversation = exchanges(&[("q", "yes"), ("r", "no")]);
    let sent = renderer
        .prompt(&conversation.first(1))
        .unwrap()
        .to_tokens()
        .unwrap();
    let examples = renderer.supervised(&conversation).unwrap();
    let (all, learned) = tokens(&examples[0]);
    assert_eq!(all[..sent.len()], sent);
    assert_eq!(shown(&renderer, &learned), "yes<|im_end|>");
    assert_eq!(examples[0].merged_seams, 1);
    // The prompt of the second answer has the merged token, so it does not continue the first example.
    let sent = renderer
        .prompt(&conversation.first(3))
        .unwrap()
        .to_tokens()
        .unwrap();
    assert!(sent.contains(&YES));
    assert_eq!(tokens(&examples[1]).0[..sent.len()], sent);
    let all = renderer
        .clone()
        .with_learn(Learn::All)
        .supervised(&conversation)
        .unwrap();
    assert_eq!(
        shown(&renderer, &tokens(&all[0]).1),
        "yes<|im_end|>no<|im_end|>"
    );
    assert_eq!(all[0].merged_seams, 1);
}

#[test]
fn plain_text_gets_the_start_token_of_its_tokenizer_and_chats_do_not() {
    let mut tokenizer = tokenizer(false);
    tokenizer["post_processor"] = json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [],
        "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [TEXT_END], "tokens": ["<|endoftext|>"]}}
    });
    let template = format!("<|endoftext|>{CHATML}");
    let renderer = renderer_with(&tokenizer, &template, "<|im_end|>", &[]);
    let text = renderer.text("hi").unwrap().to_tokens().unwrap();
    assert_eq!(shown(&renderer, &text), "<|endoftext|>hi");
    let (all, learned) = tokens(&renderer.completion("hi", "ho").unwrap());
    assert_eq!(shown(&renderer, &all), "<|endoftext|>hiho<|im_end|>");
    assert_eq!(shown(&renderer, &learned), "ho<|im_end|>");
    // A text without a prompt: all of it is learned, and so is its end.
    let (all, learned) = tokens(&renderer.completion("", "hi").unwrap());
    assert_eq!(shown(&renderer, &all), "<|endoftext|>hi<|im_end|>");
    assert_eq!(learned.len(), 3);
    let (all, _) = tokens(&renderer.supervised(&exchanges(&[("a", "b")])).unwrap()[0]);
    assert_eq!(all.iter().filter(|token| **token == TEXT_END).count(), 1);
    assert_eq!(all[0], TEXT_END);
}

#[test]
fn control_tokens_in_a_text_are_noticed() {
    let renderer = renderer(CHATML);
    let tokenizer = renderer.tokenizer();
    assert_eq!(
        tokenizer.control_token_in("What is <|im_end|>?"),
        Some("<|im_end|>")
    );
    assert_eq!(tokenizer.control_token_in("a < b, <|im_en"), None);
    assert!(tokenizer.is_control(TURN_END) && !tokenizer.is_control(YES));
}

#[test]
fn an_answer_ends_with_the_token_of_the_template() {
    let config = (
        "config.json",
        json!({"eos_token_id": TEXT_END, "vocab_size": 288}),
    );
    let renderer = renderer_with(&tokenizer(false), CHATML, "<|endoftext|>", &[config]);
    assert_eq!(renderer.end_tokens(), [TEXT_END, TURN_END]);
    assert_eq!(renderer.notes().len(), 1, "{:?}", renderer.notes());
    assert!(renderer.notes()[0].contains("the chat template <|im_end|> (263)"));
    let texts = learned(&renderer, &exchanges(&[("k7", "v7")]), Learn::Turns);
    assert_eq!(texts[0].1, "v7<|im_end|>");
    assert!(texts[0].0.ends_with("v7<|im_end|>"), "{:?}", texts[0].0);
    for end in [TEXT_END, TURN_END] {
        let sampled = [renderer.tokenizer.encode("v7").unwrap(), vec![end]].concat();
        assert_eq!(renderer.answer(&sampled).unwrap(), "v7");
    }
}

#[test]
fn files_that_name_no_end_are_told() {
    let none = [
        ("config.json", json!({"eos_token_id": null})),
        ("generation_config.json", json!({"eos_token_id": []})),
    ];
    let without = "{% for m in messages %}{{ m.content }}\n{% endfor %}";
    let renderer = renderer_with(&tokenizer(false), without, "", &none);
    assert!(renderer.end_tokens().is_empty());
    let notes = renderer.notes().join("\n");
    for note in [
        "generation_config.json names no end token",
        "config.json names no end token",
        "the chat template writes no end token",
        "answers end at the limit",
    ] {
        assert!(notes.contains(note), "{notes}");
    }
    assert!(
        Renderer::new(Tokenizer::bytes(), Template::plain())
            .notes()
            .is_empty()
    );
}

#[test]
fn control_tokens_after_the_end_belong_to_the_template() {
    let template =
        format!("{CHATML}{{% if not add_generation_prompt %}}<|endoftext|>{{% endif %}}");
    let config = ("config.json", json!({"eos_token_id": [TEXT_END, TURN_END]}));
    let renderer = renderer_with(&tokenizer(false), &template, "<|endoftext|>", &[config]);
    let conversation = exchanges(&[("a", "b"), ("c", "d")]);
    for learn in [Learn::Turns, Learn::All] {
        let texts = learned(&renderer, &conversation, learn);
        assert_eq!(texts.len(), 1, "{learn}");
        assert_eq!(texts[0].1, "b<|im_end|>d<|im_end|>", "{learn}");
    }
}
