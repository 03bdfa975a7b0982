//! Short text manipulations: reverse, spell, drop the first letter, and about fifty more.
//!
//! They are many and small by design. A model that has seen each part (find the vowels, split a
//! word, append an ending, apply a rule to each word of a phrase) learns a new rule in seconds. Pig
//! latin is the rule that the example data teach, so neither it nor its endings may occur here.

use fastrand::Rng;

use super::grammar::{gerund, onset, past, plural};
use super::lexicon::{CONCRETE, DESCRIBING, pick, task_phrase, task_word, word_of};
use super::rule::{EACH, Each, WHOLE, Whole, joined, reversed};

/// A task with its input and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Rewrite {
    /// Short name, written before a colon.
    pub(crate) label: String,
    /// The task as a request; `{}` is replaced by the input.
    pub(crate) request: String,
    pub(crate) input: String,
    pub(crate) answer: String,
}

impl Rewrite {
    /// Draws a task and an input for it.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        match rng.usize(..20) {
            0..9 => Self::each(rng),
            9..13 => Self::whole(rng),
            13..17 => Self::with_argument(rng),
            17 => Self::spelled(rng),
            18 => Self::unspelled(rng),
            _ => Self::inflected(rng),
        }
    }

    fn new(
        rng: &mut Rng,
        labels: &[&str],
        requests: &[&str],
        input: String,
        answer: String,
    ) -> Self {
        Self {
            label: pick(rng, labels).to_owned(),
            request: pick(rng, requests).to_owned(),
            input,
            answer,
        }
    }

    fn each(rng: &mut Rng) -> Self {
        let Each(labels, requests, rule) = &EACH[rng.usize(..EACH.len())];
        let input = short_phrase(rng);
        let answer = each_word(&input, *rule);
        Self::new(rng, labels, requests, input, answer)
    }

    fn whole(rng: &mut Rng) -> Self {
        let Whole(labels, requests, rule) = &WHOLE[rng.usize(..WHOLE.len())];
        let count = 2 + rng.usize(..3);
        let input = task_phrase(rng, count);
        let answer = rule(&input.split(' ').collect::<Vec<_>>());
        Self::new(rng, labels, requests, input, answer)
    }

    /// A task with an argument in its name: an ending, a letter, a count.
    fn with_argument(rng: &mut Rng) -> Self {
        let input = short_phrase(rng);
        match rng.usize(..6) {
            0 => {
                let ending = affix(rng);
                let answer = each_word(&input, |word| format!("{word}{ending}"));
                let labels =
                    [&*format!("add {ending}"), &*format!("+ {ending}")].map(str::to_owned);
                let request = format!("add {ending} to the end of {{}}");
                Self::new(rng, &[&labels[0], &labels[1]], &[&request], input, answer)
            }
            1 => {
                let start = affix(rng);
                let answer = each_word(&input, |word| format!("{start}{word}"));
                let label = format!("put {start} before");
                Self::new(
                    rng,
                    &[&label],
                    &[&format!("put {start} before {{}}")],
                    input,
                    answer,
                )
            }
            2 | 3 => {
                let from = char::from(input.as_bytes()[rng.usize(..input.len())]);
                let from = if from == ' ' { 'e' } else { from };
                let to = rng.lowercase();
                let answer = input.replace(from, &to.to_string());
                let labels = [format!("{from} to {to}"), format!("replace {from} by {to}")];
                let request = format!("replace {from} by {to} in {{}}");
                Self::new(rng, &[&labels[0], &labels[1]], &[&request], input, answer)
            }
            4 => {
                let times = 2 + rng.usize(..3);
                let answer = vec![&*input; times].join(" ");
                let label = format!("{times} times");
                Self::new(
                    rng,
                    &[&label],
                    &[&format!("say {{}} {times} times")],
                    input,
                    answer,
                )
            }
            _ => {
                let letter = if rng.bool() {
                    char::from(input.as_bytes()[0])
                } else {
                    rng.lowercase()
                };
                let answer = if input.contains(letter) { "yes" } else { "no" };
                let label = format!("has {letter}");
                Self::new(
                    rng,
                    &[&label],
                    &[&format!("is there a letter {letter} in {{}}?")],
                    input,
                    answer.to_owned(),
                )
            }
        }
    }

    fn spelled(rng: &mut Rng) -> Self {
        let input = task_word(rng);
        let answer = joined(&input, " ");
        Self::new(
            rng,
            &["spell", "letters"],
            &["spell {}", "how do you spell {}?"],
            input,
            answer,
        )
    }

    fn unspelled(rng: &mut Rng) -> Self {
        let answer = task_word(rng);
        let separator = pick(rng, &[" ", "-", ", "]);
        let input = joined(&answer, separator);
        Self::new(
            rng,
            &["read", "unspell"],
            &["which word is {}?", "put the letters together: {}"],
            input,
            answer,
        )
    }

    fn inflected(rng: &mut Rng) -> Self {
        let verb = word_of(rng, &["transitive", "intransitive", "verb"]).to_owned();
        match rng.usize(..4) {
            0 => Self::new(
                rng,
                &["past", "past tense"],
                &["what is the past of {}?"],
                verb.clone(),
                past(&verb),
            ),
            1 => Self::new(
                rng,
                &["ing form", "now"],
                &["write the ing form of {}"],
                verb.clone(),
                gerund(&verb),
            ),
            _ => {
                let nouns = [
                    "animal", "fruit", "tool", "house", "person", "thing", "plant", "bird",
                ];
                let noun = word_of(rng, &nouns);
                let requests = ["what is the plural of {}?", "more than one {}"];
                Self::new(
                    rng,
                    &["plural", "many"],
                    &requests,
                    noun.to_owned(),
                    plural(noun),
                )
            }
        }
    }
}

/// Lines `input -> answer` that follow one unnamed rule made of random parts, so that the rule can
/// only be inferred from the lines above.
pub(crate) fn by_example(rng: &mut Rng) -> Vec<(String, String)> {
    let cut = rng.usize(..5);
    let order = rng.usize(..4);
    let glue = if rng.bool() {
        affix(rng)
    } else {
        pick(rng, &["", "-", "+", "_", " "]).to_owned()
    };
    let ending = if rng.bool() {
        affix(rng)
    } else {
        String::new()
    };
    let loud = rng.usize(..6) == 0;
    let rule = move |word: &str| {
        let at = match cut {
            0 => 1.min(word.len()),
            1 => word.len() - 1,
            2 => onset(word),
            3 => word.len() / 2,
            _ => word.len(),
        };
        let (head, tail) = word.split_at(at);
        let text = match order {
            0 => format!("{head}{glue}{tail}{ending}"),
            1 => format!("{tail}{glue}{head}{ending}"),
            2 => format!("{tail}{ending}"),
            _ => format!("{}{glue}{tail}{ending}", reversed(head)),
        };
        if loud {
            text.to_ascii_uppercase()
        } else {
            text
        }
    };
    let words = 1 + rng.usize(..2);
    (0..3 + rng.usize(..6))
        .map(|_| {
            let input = task_phrase(rng, words);
            let answer = each_word(&input, rule.clone());
            (input, answer)
        })
        .collect()
}

/// An ending or a beginning. The endings of pig latin are left to the examples.
fn affix(rng: &mut Rng) -> String {
    loop {
        let mut text = String::new();
        for _ in 0..=rng.usize(..2) {
            text.push(rng.lowercase());
            text.push(
                pick(rng, &["a", "e", "i", "o", "u"])
                    .chars()
                    .next()
                    .unwrap_or('a'),
            );
        }
        if rng.bool() {
            text = text.chars().rev().collect();
        }
        text.truncate(1 + rng.usize(..3));
        if !text.contains("ay") {
            return text;
        }
    }
}

fn short_phrase(rng: &mut Rng) -> String {
    let count = [1, 1, 1, 2, 2, 3][rng.usize(..6)];
    if rng.usize(..6) == 0 && count == 2 {
        return format!("{} {}", word_of(rng, DESCRIBING), word_of(rng, CONCRETE));
    }
    task_phrase(rng, count)
}

fn each_word(phrase: &str, rule: impl Fn(&str) -> String) -> String {
    phrase.split(' ').map(rule).collect::<Vec<_>>().join(" ")
}
