//! Reading comprehension: questions that the text above them answers.

use fastrand::Rng;

use super::document::Exchange;
use super::grammar::{capitalized, past, with_article};
use super::lexicon::{pick, task_word, word, word_of};
use super::sentence::{Clause, paragraph, sentence};
use super::story::story;

/// A short text, a question about it, the answer.
pub(crate) fn comprehension(rng: &mut Rng) -> Exchange {
    let clause = Clause::draw(rng);
    let Clause {
        subject,
        verb,
        object,
        place,
        ..
    } = &clause;
    let (question, answer) = match rng.usize(..4) {
        0 => (format!("Who {} {object}?", past(verb)), subject.clone()),
        1 => (format!("What did {subject} {verb}?"), object.clone()),
        2 => (
            format!("Where did {subject} {verb} {object}?"),
            place.clone(),
        ),
        _ => (
            format!("What did {subject} do?"),
            format!("it {} {object}", past(verb)),
        ),
    };
    let mut sentences = vec![clause.sentence()];
    for _ in 0..rng.usize(..3) {
        sentences.push(sentence(rng));
    }
    rng.shuffle(&mut sentences);
    Exchange::new(
        format!("{} {question}", sentences.join(" ")),
        capitalized(&format!("{answer}.")),
    )
}

/// A request for text: a sentence with a word, a story about someone.
pub(crate) fn writing(rng: &mut Rng) -> Exchange {
    match rng.usize(..5) {
        0 | 1 => {
            let category = pick(rng, &["animal", "person", "bird"]);
            let hero = word(rng, category);
            let ask = pick(
                rng,
                &[
                    "Tell me a story about {}.",
                    "Write a story about {}.",
                    "Tell a tiny story about {}",
                ],
            );
            Exchange::new(ask.replace("{}", &with_article(hero)), story(rng, hero))
        }
        2 => {
            let object = word_of(rng, &["tool", "fruit", "food", "thing", "clothing"]);
            let verb = pick(rng, &["found", "lost", "liked", "saw", "wanted", "bought"]);
            let ask = pick(
                rng,
                &[
                    "Write a sentence about {}.",
                    "Make a sentence with {}.",
                    "Use {} in a sentence.",
                ],
            );
            let subject = super::sentence::subject(rng);
            let text = format!(
                "{subject} {verb} {} {}.",
                with_article(object),
                super::sentence::place(rng)
            );
            Exchange::new(ask.replace("{}", &with_article(object)), capitalized(&text))
        }
        3 => Exchange::new(
            pick(
                rng,
                &["Write a sentence.", "Say something.", "Tell me something."],
            ),
            sentence(rng),
        ),
        _ => Exchange::new(
            pick(
                rng,
                &[
                    "Write a few sentences.",
                    "Write something.",
                    "Tell me more.",
                ],
            ),
            paragraph(rng),
        ),
    }
}

/// A statement to be recalled later: `My color is red.`
pub(crate) fn memory(rng: &mut Rng) -> [Exchange; 2] {
    let (what, value) = match rng.usize(..4) {
        0 => ("favorite color", word(rng, "color").to_owned()),
        1 => ("favorite animal", format!("the {}", word(rng, "animal"))),
        2 => ("name", capitalized(&task_word(rng))),
        _ => ("password", task_word(rng)),
    };
    let reply = pick(
        rng,
        &["Good to know.", "I will remember that.", "Nice!", "OK."],
    );
    [
        Exchange::new(format!("My {what} is {value}."), reply),
        Exchange::new(
            format!("What is my {what}?"),
            format!("Your {what} is {value}."),
        ),
    ]
}
