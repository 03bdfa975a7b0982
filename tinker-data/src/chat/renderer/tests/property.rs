//! Properties over generated conversations: what is learned of an answer is what follows its prompt, as it is sampled.

use super::merging::{CHATML, REWRITES, renderer, shown, tokens};
use super::*;

/// Like the templates of Llama: texts without white space at the ends, and the system message in front.
const TRIMS: &str = "<|endoftext|>{% for m in messages %}<|im_start|>{{ m.role }}\n\n{{ m.content | trim }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n\n{% endif %}";
/// Opens a thought in prompts, and leaves thoughts out of answers.
const OPENS: &str = "{% for m in messages %}{% if m.role == 'assistant' %}<A>{{ m.content }}<|im_end|>{% else %}<{{ m.role }}>{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}<A><think>\n{% endif %}";
/// Words that merge at seams.
const SPACES: &str = "{% for m in messages %}{{ m.role }}: {{ m.content }}{% if m.role == 'assistant' %}<|im_end|>{% endif %} {% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
/// The system message stands in the last question, and only until it is answered.
const MOVES: &str = "{% for m in messages %}{% if m.role == 'user' %}[INST] {% if loop.last and messages[0].role == 'system' %}{{ messages[0].content }}\n\n{% endif %}{{ m.content }}[/INST]{% elif m.role == 'assistant' %} {{ m.content }}<|im_end|>{% endif %}{% endfor %}";

/// The learned text of an answer with this content.
type Expected = fn(&str) -> String;

const TEMPLATES: [(&str, Expected); 6] = [
    (CHATML, |content| format!("{content}<|im_end|>")),
    (REWRITES, |content| {
        format!("<think>\n\n</think>\n\n{content}<|im_end|>")
    }),
    (TRIMS, |content| format!("{}<|im_end|>", content.trim())),
    (OPENS, |content| {
        format!(
            "\n</think>\n\n{}<|im_end|>",
            content.trim_start_matches('\n')
        )
    }),
    (SPACES, |content| format!("{content}<|im_end|>")),
    (MOVES, |content| format!(" {content}<|im_end|>")),
];

const PARTS: [&str; 12] = [
    "yes",
    " yes",
    " ",
    "\n",
    "...",
    ". ",
    "a",
    "<think",
    "caf\u{e9}",
    "\u{1f980}",
    "{{ x }}",
    "[INST] ",
];

fn text(random: &mut fastrand::Rng) -> String {
    let parts = (0..random.usize(1..5)).map(|_| PARTS[random.usize(..PARTS.len())]);
    let text: String = parts.collect();
    if text.trim().is_empty() {
        "b".to_owned()
    } else {
        text
    }
}

fn conversation(random: &mut fastrand::Rng) -> Conversation {
    let mut messages = Vec::new();
    if random.bool() {
        messages.push(Message::system(text(random)));
    }
    for _ in 0..random.usize(1..5) {
        messages.push(Message::user(text(random)));
        let mut answer = Message::assistant(text(random));
        answer.weight = f32::from(u8::from(random.u8(..5) > 0));
        messages.push(answer);
    }
    if let Some(last) = messages.last_mut() {
        last.weight = 1.0;
    }
    messages.into()
}

/// All tokens of a text that has control tokens in it.
fn weights(example: &EncodedExample) -> Vec<bool> {
    let weights = example.datum.loss_fn_inputs["weights"].as_f32().unwrap();
    let weights = weights.iter().map(|weight| *weight > 0.0);
    std::iter::once(false).chain(weights).collect()
}

#[test]
fn each_answer_is_learned_after_its_prompt_as_it_is_sampled() {
    let mut random = fastrand::Rng::with_seed(12);
    for (template, expected) in TEMPLATES {
        let renderer = renderer(template);
        for _ in 0..150 {
            let conversation = conversation(&mut random);
            let examples = renderer.supervised(&conversation).unwrap();
            let mut learned = 0;
            for (index, message) in conversation.messages.iter().enumerate() {
                if message.role != Role::Assistant || message.weight == 0.0 {
                    continue;
                }
                let prompt = renderer.prompt(&conversation.first(index)).unwrap();
                let prompt = prompt.to_tokens().unwrap();
                let place = format!("{template}\n{conversation:?}\nmessages[{index}]");
                let found = examples.iter().find_map(|example| {
                    let (all, weights) = (tokens(example).0, weights(example));
                    let is_after = all.starts_with(&prompt)
                        && !weights[prompt.len() - 1]
                        && weights.get(prompt.len()) == Some(&true);
                    let rest = weights.get(prompt.len()..)?;
                    let count = rest.iter().take_while(|is_learned| **is_learned).count();
                    is_after.then(|| all[prompt.len()..prompt.len() + count].to_vec())
                });
                let answer = found.unwrap_or_else(|| panic!("no example for {place}"));
                assert_eq!(
                    shown(&renderer, &answer),
                    expected(message.text()),
                    "{place}"
                );
                learned += answer.len();
            }
            let all: usize = examples.iter().map(|example| example.learned).sum();
            assert_eq!(all, learned, "{template}\n{conversation:?}");
        }
    }
}

#[test]
fn one_rendering_learns_the_same_texts() {
    let mut random = fastrand::Rng::with_seed(3);
    for template in [CHATML, TRIMS, SPACES] {
        let renderer = renderer(template);
        for _ in 0..100 {
            let conversation = conversation(&mut random);
            let learned = |learn: Learn| {
                let examples = renderer.clone().with_learn(learn).supervised(&conversation);
                let learned = examples
                    .unwrap()
                    .iter()
                    .map(|example| tokens(example).1)
                    .collect::<Vec<_>>();
                shown(&renderer, &learned.concat())
            };
            assert_eq!(
                learned(Learn::All),
                learned(Learn::Turns),
                "{template}\n{conversation:?}"
            );
        }
    }
}
