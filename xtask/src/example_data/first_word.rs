//! The first of two words: as problems with an answer, and as preferences for the first word over the second.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::split::Split;
use super::vocabulary::Vocabulary;
use crate::base_model::lexicon::{CONCRETE, pick};

const TRAIN_LINES: usize = 1_000;
const HELD_OUT_LINES: usize = 64;
/// One word in this many is held out.
const ONE_IN: u64 = 8;

/// The two words of each line. The model finds the answer now and then, as it copies words.
pub(super) fn split() -> Split<(String, String)> {
    let nouns = Vocabulary::of(CONCRETE, ONE_IN);
    let mut rng = Rng::with_seed(21);
    Split {
        train: lines(&mut rng, &nouns.train, TRAIN_LINES),
        held_out: lines(&mut rng, &nouns.held_out, HELD_OUT_LINES),
    }
}

fn lines(rng: &mut Rng, nouns: &[&str], count: usize) -> Vec<(String, String)> {
    let mut seen = BTreeSet::new();
    let mut lines = Vec::with_capacity(count);
    while lines.len() < count {
        let words = (pick(rng, nouns).to_owned(), pick(rng, nouns).to_owned());
        if words.0 != words.1 && seen.insert(words.clone()) {
            lines.push(words);
        }
    }
    lines
}
