//! Split of the vocabulary into training words and held-out words.

use fastrand::Rng;

use crate::base_model::lexicon::Lexicon;

/// The words of some categories, in two disjoint parts.
pub(super) struct Vocabulary {
    pub(super) train: Vec<&'static str>,
    pub(super) held_out: Vec<&'static str>,
}

impl Vocabulary {
    /// Holds out one word in `one_in`. The side of a word depends on the word alone, so it is the same
    /// in every category.
    pub(super) fn of(categories: &[&str], one_in: u64) -> Self {
        let mut words: Vec<&str> = categories
            .iter()
            .flat_map(|name| Lexicon::get().of(name))
            .copied()
            .collect();
        words.sort_unstable();
        words.dedup();
        let (held_out, train) = words
            .into_iter()
            .partition(|word| Rng::with_seed(fold(word)).u64(..one_in) == 0);
        Self { train, held_out }
    }
}

/// FNV-1a, because the results of the standard hasher may change.
fn fold(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
