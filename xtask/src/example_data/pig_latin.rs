//! Pig latin: `green apple` becomes `eengray appleway`.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::split::{Pair, Split};
use super::vocabulary::Vocabulary;
use crate::base_model::grammar::onset;
use crate::base_model::lexicon::{CONCRETE, DESCRIBING, pick};

const TRAIN_LINES: usize = 3_000;
const HELD_OUT_LINES: usize = 80;
/// One word in this many is held out.
const ONE_IN: u64 = 8;

pub(super) fn split() -> Split<Pair> {
    let adjectives = Vocabulary::of(DESCRIBING, ONE_IN);
    let nouns = Vocabulary::of(&[CONCRETE, &["noun", "idea"]].concat(), ONE_IN);
    let mut rng = Rng::with_seed(20);
    Split {
        train: lines(&mut rng, &adjectives.train, &nouns.train, TRAIN_LINES),
        held_out: lines(
            &mut rng,
            &adjectives.held_out,
            &nouns.held_out,
            HELD_OUT_LINES,
        ),
    }
}

/// Phrases such as `green apple` and `apple tree`. With only the few adjectives in the first place, a
/// model would memorize them instead of the rule.
fn lines(rng: &mut Rng, adjectives: &[&str], nouns: &[&str], count: usize) -> Vec<Pair> {
    let mut seen = BTreeSet::new();
    let mut lines = Vec::with_capacity(count);
    while lines.len() < count {
        let first = if rng.bool() { adjectives } else { nouns };
        let phrase = format!("{} {}", pick(rng, first), pick(rng, nouns));
        if seen.insert(phrase.clone()) {
            lines.push((
                format!("pig latin: {phrase} ->"),
                format!(" {}", translated(&phrase)),
            ));
        }
    }
    lines
}

fn translated(phrase: &str) -> String {
    phrase
        .split(' ')
        .map(pig_latin)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Moves the letters before the first vowel to the end and appends `ay`; a word that starts with a
/// vowel gets `way`.
fn pig_latin(word: &str) -> String {
    match word.split_at(onset(word)) {
        ("", rest) => format!("{rest}way"),
        (start, rest) => format!("{rest}{start}ay"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_translated_by_the_usual_rule() {
        assert_eq!(translated("green apple"), "eengray appleway");
        assert_eq!(translated("quiet yak"), "ietquay akyay");
        assert_eq!(translated("dry sky"), "ydray yskay");
    }

    #[test]
    fn held_out_words_are_not_trained_on() {
        let Split { train, held_out } = split();
        let words = |pairs: &[Pair]| -> BTreeSet<String> {
            let phrases = pairs
                .iter()
                .filter_map(|(prompt, _)| prompt.strip_prefix("pig latin: ")?.strip_suffix(" ->"));
            phrases
                .flat_map(|phrase| phrase.split(' ').map(str::to_owned))
                .collect()
        };
        assert_eq!(held_out.len(), HELD_OUT_LINES);
        assert!(words(&train).is_disjoint(&words(&held_out)));
    }
}
