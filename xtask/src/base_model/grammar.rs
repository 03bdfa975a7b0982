//! Inflection and articles: enough English for simple sentences.

#[rustfmt::skip]
const IRREGULAR: &[(&str, &str)] = &[
    ("see", "saw"), ("find", "found"), ("take", "took"), ("hold", "held"), ("throw", "threw"), ("catch", "caught"),
    ("break", "broke"), ("build", "built"), ("eat", "ate"), ("drink", "drank"), ("buy", "bought"), ("sell", "sold"),
    ("give", "gave"), ("send", "sent"), ("bring", "brought"), ("lose", "lost"), ("keep", "kept"), ("hide", "hid"),
    ("cut", "cut"), ("hit", "hit"), ("hear", "heard"), ("teach", "taught"), ("meet", "met"), ("know", "knew"),
    ("choose", "chose"), ("draw", "drew"), ("read", "read"), ("write", "wrote"), ("sing", "sang"), ("lend", "lent"),
    ("steal", "stole"), ("run", "ran"), ("swim", "swam"), ("fly", "flew"), ("sleep", "slept"), ("wake", "woke"),
    ("sit", "sat"), ("stand", "stood"), ("fall", "fell"), ("rise", "rose"), ("grow", "grew"), ("shine", "shone"),
    ("freeze", "froze"), ("sink", "sank"), ("think", "thought"), ("leave", "left"), ("put", "put"), ("go", "went"),
    ("come", "came"), ("say", "said"), ("tell", "told"), ("make", "made"), ("have", "had"), ("feel", "felt"),
    ("begin", "began"), ("blow", "blew"), ("feed", "fed"), ("forget", "forgot"), ("forgive", "forgave"),
    ("deal", "dealt"), ("dig", "dug"), ("hang", "hung"), ("kneel", "knelt"), ("lead", "led"), ("let", "let"),
    ("lie", "lay"), ("mistake", "mistook"), ("pay", "paid"), ("shoot", "shot"), ("speak", "spoke"), ("spend", "spent"),
    ("spill", "spilled"), ("spin", "spun"), ("split", "split"), ("spread", "spread"), ("stick", "stuck"),
    ("swear", "swore"), ("sweep", "swept"), ("swing", "swung"), ("understand", "understood"), ("wear", "wore"),
    ("weave", "wove"), ("win", "won"), ("shake", "shook"), ("knit", "knitted"), ("cast", "cast"), ("slide", "slid"),
    ("do", "did"), ("get", "got"), ("ride", "rode"), ("become", "became"),
];
const DOUBLING: &[&str] = &["admit", "occur", "regret", "prefer"];
#[rustfmt::skip]
const PLURAL: &[(&str, &str)] = &[
    ("mouse", "mice"), ("sheep", "sheep"), ("goose", "geese"), ("deer", "deer"), ("fish", "fish"), ("ox", "oxen"),
    ("child", "children"), ("man", "men"), ("woman", "women"), ("tooth", "teeth"), ("foot", "feet"), ("moose", "moose"),
    ("wolf", "wolves"), ("calf", "calves"), ("knife", "knives"), ("shelf", "shelves"), ("leaf", "leaves"),
    ("thief", "thieves"), ("wife", "wives"), ("loaf", "loaves"), ("scarf", "scarves"), ("hoof", "hooves"),
    ("fireman", "firemen"), ("postman", "postmen"), ("scissors", "scissors"), ("pliers", "pliers"), ("shears", "shears"),
    ("bellows", "bellows"),
];

pub(crate) fn is_vowel(letter: char) -> bool {
    matches!(letter, 'a' | 'e' | 'i' | 'o' | 'u')
}

/// Index of the first vowel; a `y` counts unless it comes first, the `u` of `qu` does not.
pub(crate) fn onset(word: &str) -> usize {
    let bytes = word.as_bytes();
    (0..bytes.len())
        .find(|&at| {
            let letter = char::from(bytes[at]);
            let after_q = at > 0 && letter == 'u' && bytes[at - 1] == b'q';
            (is_vowel(letter) && !after_q) || (letter == 'y' && at > 0)
        })
        .unwrap_or(0)
}

/// The past tense.
pub(crate) fn past(verb: &str) -> String {
    if let Some((_, past)) = IRREGULAR.iter().find(|(base, _)| *base == verb) {
        return (*past).to_owned();
    }
    if verb.ends_with('e') {
        return format!("{verb}d");
    }
    match consonant_y(verb) {
        Some(stem) => format!("{stem}ied"),
        None => format!("{}ed", doubled(verb)),
    }
}

/// The present participle: `running`.
pub(crate) fn gerund(verb: &str) -> String {
    if let Some(stem) = verb.strip_suffix("ie") {
        return format!("{stem}ying");
    }
    match verb.strip_suffix('e') {
        Some(stem) if !stem.ends_with(['e', 'o', 'y']) && stem.len() > 1 => format!("{stem}ing"),
        _ => format!("{}ing", doubled(verb)),
    }
}

/// The third person singular: `runs`.
pub(crate) fn third(verb: &str) -> String {
    match verb {
        "have" => "has".to_owned(),
        "go" | "do" => format!("{verb}es"),
        _ => with_s(verb),
    }
}

/// The plural of a noun.
pub(crate) fn plural(noun: &str) -> String {
    PLURAL
        .iter()
        .find(|(one, _)| *one == noun)
        .map_or_else(|| with_s(noun), |(_, many)| (*many).to_owned())
}

/// The noun with its article: `an apple`.
pub(crate) fn with_article(noun: &str) -> String {
    let silent =
        noun.starts_with("hour") || noun.starts_with("honest") || noun.starts_with("honor");
    let hard = noun.starts_with("uni") || noun.starts_with("use") || noun.starts_with("one");
    let vowel = noun.starts_with(is_vowel);
    let article = if silent || (vowel && !hard) {
        "an"
    } else {
        "a"
    };
    format!("{article} {noun}")
}

/// The text with a capital first letter.
pub(crate) fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_ascii_uppercase().to_string() + letters.as_str()
    })
}

fn with_s(word: &str) -> String {
    if word.ends_with("ss")
        || word.ends_with("sh")
        || word.ends_with("ch")
        || word.ends_with(['x', 'z', 's'])
    {
        format!("{word}es")
    } else if let Some(stem) = consonant_y(word) {
        format!("{stem}ies")
    } else {
        format!("{word}s")
    }
}

fn consonant_y(word: &str) -> Option<&str> {
    word.strip_suffix('y')
        .filter(|stem| !stem.ends_with(is_vowel))
}

/// Doubles the last consonant of a short closed syllable: `stop` to `stopp`.
fn doubled(verb: &str) -> String {
    let letters: Vec<char> = verb.chars().collect();
    let groups = verb
        .split(|letter| !is_vowel(letter))
        .filter(|group| !group.is_empty())
        .count();
    let closed = match letters.as_slice() {
        [.., before, vowel, last] => {
            let qu = *before == 'u' && verb.contains("qu");
            (!is_vowel(*before) || qu)
                && is_vowel(*vowel)
                && !is_vowel(*last)
                && !matches!(last, 'w' | 'x' | 'y')
        }
        _ => false,
    };
    if closed && (groups == 1 || DOUBLING.contains(&verb)) {
        format!("{verb}{}", letters[letters.len() - 1])
    } else {
        verb.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_and_nouns_are_inflected() {
        for (verb, expected) in [
            ("stop", "stopped"),
            ("carry", "carried"),
            ("visit", "visited"),
            ("bake", "baked"),
        ] {
            assert_eq!(past(verb), expected);
        }
        for (verb, expected) in [
            ("run", "running"),
            ("bake", "baking"),
            ("see", "seeing"),
            ("tie", "tying"),
        ] {
            assert_eq!(gerund(verb), expected);
        }
        for (noun, expected) in [
            ("fox", "foxes"),
            ("berry", "berries"),
            ("day", "days"),
            ("mouse", "mice"),
        ] {
            assert_eq!(plural(noun), expected);
        }
        assert_eq!(with_article("hour"), "an hour");
        assert_eq!(with_article("useful key"), "a useful key");
    }
}
