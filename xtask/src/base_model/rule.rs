//! Tables of rules: labels, requests with `{}` for the input, and functions on text.

use super::grammar::{capitalized, is_vowel, onset};

/// A rule for one word, which a phrase applies to each of its words: labels, requests, the rule.
pub(super) struct Each(
    pub(super) &'static [&'static str],
    pub(super) &'static [&'static str],
    pub(super) fn(&str) -> String,
);

#[rustfmt::skip]
pub(super) const EACH: &[Each] = &[
    Each(&["reverse", "backwards", "flip"], &["reverse {}", "write {} backwards", "spell {} from end to start"], reversed),
    Each(&["reverse", "reversed", "mirror"], &["say {} backwards", "turn {} around", "what is {} backwards?"], reversed),
    Each(&["copy", "repeat", "echo", "say"], &["copy {}", "repeat {}", "say {}", "write {}"], str::to_owned),
    Each(&["upper", "uppercase", "shout", "capitals"], &["write {} in capital letters", "make {} upper case", "shout {}"], str::to_ascii_uppercase),
    Each(&["capitalize", "title"], &["capitalize {}", "start {} with a capital letter"], capitalized),
    Each(&["first letter", "first", "initial"], &["what is the first letter of {}?", "which letter does {} start with?"], |w| slice(w, 0, 1)),
    Each(&["last letter", "last", "final"], &["what is the last letter of {}?", "which letter does {} end with?"], |w| slice(w, w.len() - 1, w.len())),
    Each(&["first two", "first two letters"], &["what are the first two letters of {}?"], |w| slice(w, 0, 2)),
    Each(&["first three", "short"], &["shorten {} to three letters", "write only three letters of {}"], |w| slice(w, 0, 3)),
    Each(&["last two", "last two letters"], &["what are the last two letters of {}?"], |w| slice(w, w.len().saturating_sub(2), w.len())),
    Each(&["drop first", "behead", "without first letter"], &["remove the first letter of {}", "drop the first letter from {}"], |w| slice(w, 1, w.len())),
    Each(&["drop last", "cut", "without last letter"], &["remove the last letter of {}", "cut the end off {}"], |w| slice(w, 0, w.len() - 1)),
    Each(&["swap ends"], &["swap the first and the last letter of {}"], swapped_ends),
    Each(&["to the back", "first to last"], &["move the first letter of {} to the end"], |w| slice(w, 1, w.len()) + &slice(w, 0, 1)),
    Each(&["to the front", "last to first"], &["move the last letter of {} to the front"], |w| slice(w, w.len() - 1, w.len()) + &slice(w, 0, w.len() - 1)),
    Each(&["no vowels", "drop vowels", "consonants"], &["remove the vowels from {}", "write {} without vowels"], |w| w.chars().filter(|&c| !is_vowel(c)).collect()),
    Each(&["vowels", "only vowels"], &["which vowels are in {}?", "keep only the vowels of {}"], |w| w.chars().filter(|&c| is_vowel(c)).collect()),
    Each(&["star vowels", "hide vowels"], &["replace each vowel of {} by a star"], |w| w.chars().map(|c| if is_vowel(c) { '*' } else { c }).collect()),
    Each(&["upper vowels", "loud vowels"], &["make the vowels of {} upper case"], |w| w.chars().map(|c| if is_vowel(c) { c.to_ascii_uppercase() } else { c }).collect()),
    Each(&["double letters", "stutter"], &["write each letter of {} twice"], |w| w.chars().flat_map(|c| [c, c]).collect()),
    Each(&["double", "twice"], &["write {} twice", "double {}"], |w| format!("{w}{w}")),
    Each(&["beginning", "opening"], &["which letters of {} come before the first vowel?"], |w| w[..onset(w)].to_owned()),
    Each(&["from vowel", "rest", "ending"], &["write {} from its first vowel on"], |w| w[onset(w)..].to_owned()),
    Each(&["split", "break"], &["split {} before its first vowel"], |w| format!("{}-{}", &w[..onset(w)], &w[onset(w)..])),
    Each(&["hyphens", "dashes"], &["spell {} with hyphens"], |w| joined(w, "-")),
    Each(&["dots"], &["spell {} with dots"], |w| joined(w, ".")),
    Each(&["brackets"], &["put {} in brackets"], |w| format!("({w})")),
    Each(&["quote", "quotes"], &["put quotes around {}"], |w| format!("\"{w}\"")),
    Each(&["mask", "hide"], &["hide all but the first letter of {}"], |w| slice(w, 0, 1) + &"*".repeat(w.len() - 1)),
    Each(&["last up"], &["make the last letter of {} upper case"], |w| slice(w, 0, w.len() - 1) + &slice(w, w.len() - 1, w.len()).to_ascii_uppercase()),
    Each(&["palindrome"], &["make a palindrome from {}"], |w| w.to_owned() + &reversed(w)),
    Each(&["halves swapped"], &["swap the two halves of {}"], |w| slice(w, w.len() / 2, w.len()) + &slice(w, 0, w.len() / 2)),
    Each(&["length", "count letters"], &["how many letters are in {}?", "count the letters of {}"], |w| w.len().to_string()),
];

/// A rule for a phrase as a whole.
pub(super) struct Whole(
    pub(super) &'static [&'static str],
    pub(super) &'static [&'static str],
    pub(super) fn(&[&str]) -> String,
);

#[rustfmt::skip]
pub(super) const WHOLE: &[Whole] = &[
    Whole(&["reverse words", "word order"], &["reverse the order of the words: {}", "say the last word first: {}"], |w| w.iter().rev().copied().collect::<Vec<_>>().join(" ")),
    Whole(&["initials", "acronym"], &["write the first letters of {}", "make an acronym of {}"], |w| w.iter().map(|w| slice(w, 0, 1)).collect()),
    Whole(&["count words", "words"], &["how many words are in {}?", "count the words: {}"], |w| w.len().to_string()),
    Whole(&["first word"], &["what is the first word of {}?"], |w| w[0].to_owned()),
    Whole(&["last word"], &["what is the last word of {}?"], |w| w[w.len() - 1].to_owned()),
    Whole(&["longest", "longest word"], &["which word is the longest: {}?"], longest),
    Whole(&["join", "glue"], &["join the words {}", "write {} without spaces"], |w| w.concat()),
    Whole(&["dash", "kebab"], &["put dashes between the words {}"], |w| w.join("-")),
    Whole(&["commas", "list"], &["make a list of {}", "put commas between the words {}"], |w| w.join(", ")),
    Whole(&["and"], &["join {} with the word and"], |w| w.join(" and ")),
    Whole(&["sort", "in order", "alphabet"], &["sort the words {}", "put {} in order"], sorted),
    Whole(&["drop first word"], &["leave out the first word of {}"], |w| w[1..].join(" ")),
    Whole(&["drop last word"], &["leave out the last word of {}"], |w| w[..w.len() - 1].join(" ")),
    Whole(&["lines"], &["write each word on a line: {}"], |w| w.join("\n")),
    Whole(&["camel"], &["write {} in camel case"], |w| w[0].to_owned() + &w[1..].iter().map(|w| capitalized(w)).collect::<String>()),
];

pub(super) fn reversed(word: &str) -> String {
    word.chars().rev().collect()
}

pub(super) fn joined(word: &str, separator: &str) -> String {
    word.split("")
        .filter(|letter| !letter.is_empty())
        .collect::<Vec<_>>()
        .join(separator)
}

/// A part of an ASCII word; bounds past the end are clamped.
fn slice(word: &str, from: usize, to: usize) -> String {
    word[from.min(word.len())..to.min(word.len())].to_owned()
}

fn swapped_ends(word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    let last = letters.len() - 1;
    letters.swap(0, last);
    letters.into_iter().collect()
}

fn longest(words: &[&str]) -> String {
    words
        .iter()
        .fold(
            "",
            |best, word| if word.len() > best.len() { word } else { best },
        )
        .to_owned()
}

fn sorted(words: &[&str]) -> String {
    let mut words = words.to_vec();
    words.sort_unstable();
    words.join(" ")
}
