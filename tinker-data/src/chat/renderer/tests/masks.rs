//! Comparison with the masks that `transformers` makes of `generation` blocks: `tests/python/masks.py` writes them.

use serde::Deserialize;
use serde_json::Value;

use super::merging::{renderer_with, tokens};
use super::*;

#[derive(Deserialize)]
struct Golden {
    tokenizer: Value,
    templates: std::collections::BTreeMap<String, String>,
    cases: Vec<Case>,
}

/// Template, messages, token ids and mask.
#[derive(Deserialize)]
struct Case(String, Vec<Written>, Vec<u32>, Vec<u8>);

#[derive(Deserialize)]
struct Written {
    role: Role,
    content: String,
}

#[test]
fn generation_blocks_give_the_masks_of_transformers() {
    let golden = include_str!("../../../../tests/fixtures/assistant_masks.json");
    let golden: Golden = serde_json::from_str(golden).unwrap();
    let mut compared = 0;
    for Case(name, messages, ids, mask) in golden.cases {
        let template = &golden.templates[&name];
        let renderer = renderer_with(&golden.tokenizer, template, "<|im_end|>", &[]);
        let messages = messages.into_iter();
        let messages = messages.map(|message| Message::new(message.role, message.content));
        let conversation: Conversation = messages.collect::<Vec<_>>().into();
        let renderer = renderer.with_learn(Learn::Template);
        let examples = renderer.supervised(&conversation).unwrap();
        let (all, learned) = tokens(&examples[0]);
        // The sequence ends with its last learned token.
        assert_eq!(all, ids[..all.len()], "{name}: {conversation:?}");
        let marked = ids.iter().zip(&mask).filter(|(_, mask)| **mask == 1);
        let marked: Vec<u32> = marked.map(|(id, _)| *id).collect();
        assert_eq!(learned, marked, "{name}: {conversation:?}");
        let weights = examples[0].datum.loss_fn_inputs["weights"]
            .as_f32()
            .unwrap();
        let weights: Vec<u8> = weights
            .iter()
            .map(|weight| u8::from(*weight > 0.0))
            .collect();
        assert_eq!(weights, mask[1..all.len()], "{name}: {conversation:?}");
        compared += 1;
    }
    assert_eq!(compared, 36);
}
