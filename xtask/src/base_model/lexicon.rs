//! The word list by category, the source of sentences, tasks and example data.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use fastrand::Rng;

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::parse(include_str!("words.txt")));

/// Categories of concrete nouns.
pub(crate) const CONCRETE: &[&str] = &[
    "animal",
    "bird",
    "person",
    "fruit",
    "vegetable",
    "food",
    "tool",
    "house",
    "clothing",
    "nature",
    "plant",
    "place",
    "vehicle",
    "material",
    "body",
    "instrument",
    "device",
    "thing",
];

/// Categories of adjectives.
pub(crate) const DESCRIBING: &[&str] = &["color", "size", "quality", "feeling"];

/// English words by category.
#[derive(Debug)]
pub(crate) struct Lexicon {
    categories: BTreeMap<&'static str, Vec<&'static str>>,
    all: Vec<&'static str>,
}

impl Lexicon {
    fn parse(text: &'static str) -> Self {
        let mut categories = BTreeMap::new();
        let mut all = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, words)) = line.split_once(": ") else {
                continue;
            };
            let words: Vec<&str> = words.split_ascii_whitespace().collect();
            all.extend_from_slice(&words);
            categories.insert(name, words);
        }
        all.sort_unstable();
        all.dedup();
        Self { categories, all }
    }

    /// The word list compiled into this program.
    pub(crate) fn get() -> &'static Self {
        &LEXICON
    }

    /// Every word once, sorted.
    pub(crate) fn all(&self) -> &[&'static str] {
        &self.all
    }

    /// The words of a category, in the order of the list; empty for an unknown category.
    pub(crate) fn of(&self, category: &str) -> &[&'static str] {
        self.categories.get(category).map_or(&[], Vec::as_slice)
    }
}

/// Draws one item of a non-empty list.
pub(crate) fn pick<'a, T: ?Sized>(rng: &mut Rng, items: &[&'a T]) -> &'a T {
    items[rng.usize(..items.len())]
}

/// One word of a category.
pub(crate) fn word(rng: &mut Rng, category: &str) -> &'static str {
    pick(rng, Lexicon::get().of(category))
}

/// One word of one of several categories.
pub(crate) fn word_of(rng: &mut Rng, categories: &[&str]) -> &'static str {
    let category = pick(rng, categories);
    word(rng, category)
}

/// A pronounceable word that does not exist, such as `plorim`.
pub(crate) fn invented(rng: &mut Rng) -> String {
    const ONSETS: &[&str] = &[
        "b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z",
        "bl", "br", "ch", "cl", "cr", "dr", "fl", "fr", "gl", "gr", "pl", "pr", "qu", "sc", "sh",
        "sk", "sl", "sm", "sn", "sp", "st", "str", "spr", "sw", "th", "thr", "tr", "tw", "wh", "y",
        "",
    ];
    const VOWELS: &[&str] = &[
        "a", "e", "i", "o", "u", "a", "e", "i", "o", "ai", "ee", "ea", "oo", "ou", "oa",
    ];
    const CODAS: &[&str] = &[
        "", "", "n", "t", "r", "l", "m", "s", "d", "k", "p", "b", "g", "x", "nd", "st", "sh", "ck",
        "ng", "rt", "lt", "mp", "ft", "ss", "ll", "y",
    ];
    let syllables = 1 + rng.usize(..6).min(rng.usize(..4)).min(2);
    let mut word = String::new();
    for _ in 0..syllables {
        word.push_str(pick(rng, ONSETS));
        word.push_str(pick(rng, VOWELS));
        word.push_str(pick(rng, CODAS));
    }
    if rng.usize(..5) == 0 {
        word.push_str(pick(rng, &["er", "ing", "ed", "y", "le", "s"]));
    }
    word.truncate(10);
    word
}

/// A word for a text task: mostly from the list, sometimes invented.
pub(crate) fn task_word(rng: &mut Rng) -> String {
    if rng.usize(..5) < 2 {
        invented(rng)
    } else {
        pick(rng, Lexicon::get().all()).to_owned()
    }
}

/// Words for a text task, joined by spaces.
pub(crate) fn task_phrase(rng: &mut Rng, words: usize) -> String {
    (0..words)
        .map(|_| task_word(rng))
        .collect::<Vec<_>>()
        .join(" ")
}
