//! Conversations: turns of any kind, sometimes with a system message that changes the answers.

use fastrand::Rng;

use super::document::{Document, Exchange};
use super::fact::fact;
use super::lexicon::pick;
use super::number;
use super::reading::{comprehension, memory, writing};
use super::record::extraction;
use super::rewrite::Rewrite;
use super::wording::asked;

const PLAIN_SYSTEMS: &[&str] = &[
    "You are a helpful assistant.",
    "You are a small language model.",
    "Be brief.",
    "Be friendly.",
    "Answer the question.",
    "Help the user.",
];

/// Effect of a system message on an answer.
type Obey = fn(&str) -> String;

/// System messages, each with its effect on an answer.
const STRICT_SYSTEMS: &[(&str, Obey)] = &[
    ("Answer in capital letters.", str::to_ascii_uppercase),
    ("Write everything in lower case.", str::to_ascii_lowercase),
    ("Put every answer in quotes.", |answer| {
        format!("\"{answer}\"")
    }),
    ("Start every answer with OK.", |answer| {
        format!("OK. {answer}")
    }),
    ("End every answer with a star.", |answer| {
        format!("{answer} *")
    }),
    ("Say every answer twice.", |answer| {
        format!("{answer} {answer}")
    }),
];

/// A conversation of one to four turns.
pub(crate) fn conversation(rng: &mut Rng) -> Document {
    let mut turns = Vec::new();
    for _ in 0..[1, 1, 1, 2, 2, 3, 4][rng.usize(..7)] {
        if rng.usize(..25) == 0 {
            turns.extend(memory(rng));
        } else {
            turns.push(exchange(rng));
        }
    }
    match rng.usize(..10) {
        0..7 => Document::chat(None, &turns),
        7 | 8 => Document::chat(Some(pick(rng, PLAIN_SYSTEMS)), &turns),
        _ => {
            let (system, rule) = STRICT_SYSTEMS[rng.usize(..STRICT_SYSTEMS.len())];
            for turn in &mut turns {
                turn.assistant = rule(&turn.assistant);
            }
            Document::chat(Some(system), &turns)
        }
    }
}

/// One request and its answer.
fn exchange(rng: &mut Rng) -> Exchange {
    match rng.usize(..20) {
        0..7 => {
            let task = Rewrite::draw(rng);
            asked(rng, &task)
        }
        7..13 => fact(rng),
        13 | 14 => comprehension(rng),
        15 => writing(rng),
        16 | 17 => number::question(rng),
        _ => extraction(rng),
    }
}
