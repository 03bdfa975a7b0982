//! Sentences of a small grammar whose words fit together: bakers bake, farmers plant, foxes hide.

use fastrand::Rng;

use super::grammar::{capitalized, past, plural, third, with_article};
use super::lexicon::{pick, word, word_of};

/// Verbs with the categories of their objects.
const FRAMES: &[(&str, &str)] = &[
    (
        "see find carry lift buy sell lose hide draw paint clean",
        "tool",
    ),
    ("see buy sell eat taste smell wash cut share pick", "fruit"),
    ("cook wash cut plant sell buy pick", "vegetable"),
    ("eat buy bring share make cook taste love", "food"),
    ("see watch follow chase help feed draw know love", "animal"),
    ("see hear watch feed follow draw", "bird"),
    ("see help teach visit meet know follow thank call", "person"),
    ("wear wash fold buy lose sew find tie", "clothing"),
    ("open close clean fix move paint build", "house"),
    ("see find draw collect buy lose share hide", "thing"),
    ("play hear buy carry fix", "instrument"),
    ("see clean fix drive paint buy watch", "vehicle"),
    ("see visit leave find draw like", "place"),
    ("watch like see draw fear", "nature"),
    ("plant water cut see draw", "plant"),
];

/// A clause in the past tense, in parts, so that questions about it can be formed.
#[derive(Debug, Clone)]
pub(crate) struct Clause {
    /// `the old baker`.
    pub(crate) subject: String,
    /// `find`.
    pub(crate) verb: &'static str,
    /// `a green apple`.
    pub(crate) object: String,
    /// `in the kitchen`.
    pub(crate) place: String,
    /// `yesterday`.
    pub(crate) time: &'static str,
}

impl Clause {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let (verbs, category) = FRAMES[rng.usize(..FRAMES.len())];
        let verbs: Vec<&str> = verbs.split(' ').collect();
        Self {
            subject: subject(rng),
            verb: pick(rng, &verbs),
            object: thing(rng, category),
            place: place(rng),
            time: pick(
                rng,
                &[
                    "yesterday",
                    "today",
                    "last week",
                    "one day",
                    "in the morning",
                    "at night",
                    "in summer",
                ],
            ),
        }
    }

    /// `The old baker found a green apple in the kitchen.`
    pub(crate) fn sentence(&self) -> String {
        capitalized(&format!(
            "{} {} {} {}.",
            self.subject,
            past(self.verb),
            self.object,
            self.place
        ))
    }
}

/// A sentence of some kind.
pub(crate) fn sentence(rng: &mut Rng) -> String {
    let clause = Clause::draw(rng);
    let Clause {
        subject,
        verb,
        object,
        place,
        time,
    } = &clause;
    let text = match rng.usize(..14) {
        0..4 => return clause.sentence(),
        4 => format!("{time} {subject} {} {object}.", past(verb)),
        5 => format!("{subject} {} {object} every day.", third(verb)),
        6 => format!("{} {} {place}.", subject, past(word(rng, "intransitive"))),
        7 => format!(
            "{} {} {}.",
            subject,
            past(word(rng, "intransitive")),
            word(rng, "adverb")
        ),
        8 => format!(
            "{subject} was {} because it {} {object}.",
            word(rng, "feeling"),
            past(verb)
        ),
        9 => format!(
            "there was {} {place}.",
            with_article(&described(rng, "thing"))
        ),
        10 => {
            let noun = word_of(rng, &["tool", "house", "clothing", "animal", "fruit"]);
            format!(
                "the {noun} was {} and {}.",
                word(rng, "quality"),
                word(rng, "color")
            )
        }
        11 => format!(
            "{subject} wanted to {verb} {object}, but it was too {}.",
            word(rng, "quality")
        ),
        12 => format!(
            "when {subject} {}, it {} {object}.",
            past(word(rng, "intransitive")),
            past(verb)
        ),
        _ => format!("\"I {verb} {object},\" said {subject}."),
    };
    capitalized(&text)
}

/// A few sentences in a row.
pub(crate) fn paragraph(rng: &mut Rng) -> String {
    (0..2 + rng.usize(..4))
        .map(|_| sentence(rng))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A subject: `the old baker`.
pub(crate) fn subject(rng: &mut Rng) -> String {
    let who = word_of(rng, &["animal", "person", "person", "bird", "animal"]);
    match rng.usize(..4) {
        0 => format!("the {} {who}", word(rng, "size")),
        1 => format!("the {} {who}", word_of(rng, &["quality", "feeling"])),
        _ => format!("the {who}"),
    }
}

/// `in the kitchen`.
pub(crate) fn place(rng: &mut Rng) -> String {
    match rng.usize(..4) {
        0 => format!(
            "{} the {}",
            pick(rng, &["under", "behind", "on", "near", "beside"]),
            word(rng, "house")
        ),
        1 => format!(
            "{} the {}",
            pick(rng, &["near", "behind", "beside", "under"]),
            word(rng, "plant")
        ),
        2 => format!(
            "{} the {}",
            pick(rng, &["by", "near", "across", "beyond"]),
            word(rng, "nature")
        ),
        _ => format!(
            "{} the {}",
            pick(rng, &["in", "at", "near", "behind", "outside"]),
            word(rng, "place")
        ),
    }
}

/// A noun with one describing word before it.
pub(crate) fn described(rng: &mut Rng, category: &str) -> String {
    format!(
        "{} {}",
        word_of(rng, &["color", "size", "quality"]),
        word(rng, category)
    )
}

fn thing(rng: &mut Rng, category: &str) -> String {
    match rng.usize(..6) {
        0 => format!("the {}", word(rng, category)),
        1 => with_article(word(rng, category)),
        2 => format!("{} {}", word(rng, "number"), plural(word(rng, category)))
            .replace("one ", "two "),
        3 => format!("the {}", described(rng, category)),
        _ => with_article(&described(rng, category)),
    }
}
