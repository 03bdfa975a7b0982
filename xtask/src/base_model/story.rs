//! Short stories: a hero, a problem, a helper, an ending.

use fastrand::Rng;

use super::grammar::{capitalized, past, with_article};
use super::lexicon::{pick, word, word_of};
use super::sentence::{described, place, sentence};

/// A story of about six sentences about the same few things.
pub(crate) fn story(rng: &mut Rng, hero: &str) -> String {
    let helper = word_of(rng, &["animal", "bird", "person"]);
    let trait_ = word_of(rng, &["size", "quality", "feeling"]);
    let home = word(rng, "place");
    let treasure = word_of(rng, &["tool", "thing", "clothing", "food", "fruit"]);
    let spot = place(rng);
    let feeling = word(rng, "feeling");
    let mut told = vec![match rng.usize(..4) {
        0 => format!(
            "Once upon a time there was {} who lived in {}.",
            with_article(&format!("{trait_} {hero}")),
            with_article(home)
        ),
        1 => format!(
            "There was once {} near {}.",
            with_article(&format!("{trait_} {hero}")),
            with_article(home)
        ),
        2 => format!(
            "In {} lived {}.",
            with_article(home),
            with_article(&format!("{trait_} {hero}"))
        ),
        _ => format!(
            "A long time ago {} {} in {}.",
            with_article(hero),
            past(word(rng, "intransitive")),
            with_article(home)
        ),
    }];
    if rng.bool() {
        told.push(format!(
            "Every {} the {hero} {} {}.",
            pick(rng, &["day", "morning", "night", "week"]),
            past(word(rng, "intransitive")),
            place(rng)
        ));
    }
    match rng.usize(..4) {
        0 => lost(rng, &mut told, hero, helper, treasure, &spot),
        1 => wished(rng, &mut told, hero, helper, treasure),
        2 => found(rng, &mut told, hero, helper, treasure, &spot),
        _ => met(rng, &mut told, hero, helper),
    }
    told.push(match rng.usize(..5) {
        0 => format!("The {hero} was very {feeling}."),
        1 => format!("From that day on the {hero} and the {helper} were friends."),
        2 => format!("Then the {hero} went home and slept."),
        3 => "And that is the end of the story.".to_owned(),
        _ => format!("The {hero} never forgot the {helper}."),
    });
    told.join(" ")
}

fn lost(
    rng: &mut Rng,
    told: &mut Vec<String>,
    hero: &str,
    helper: &str,
    treasure: &str,
    spot: &str,
) {
    told.push(format!("One day the {hero} lost its {treasure}."));
    told.push(format!(
        "It looked {}, but the {treasure} was not there.",
        place(rng)
    ));
    told.push(format!(
        "{} came along.",
        capitalized(&with_article(&format!("{} {helper}", word(rng, "quality"))))
    ));
    if rng.bool() {
        told.push(format!("\"What is wrong?\" asked the {helper}."));
        told.push(format!("\"I lost my {treasure},\" said the {hero}."));
    }
    told.push(format!("The {helper} found the {treasure} {spot}."));
    told.push(
        pick(
            rng,
            &[
                "\"Thank you!\" said the friend.",
                "They both laughed.",
                "What luck!",
                "All was well again.",
            ],
        )
        .to_owned(),
    );
}

fn wished(rng: &mut Rng, told: &mut Vec<String>, hero: &str, helper: &str, treasure: &str) {
    told.push(format!("The {hero} wanted {}.", with_article(treasure)));
    told.push(format!(
        "It asked the {helper}: \"Do you have {}?\"",
        with_article(treasure)
    ));
    if rng.bool() {
        told.push(format!(
            "\"No,\" said the {helper}, \"but I know where to find one.\""
        ));
        told.push(format!(
            "They walked to the {} and looked for it.",
            word(rng, "place")
        ));
    } else {
        told.push(format!(
            "\"Yes,\" said the {helper}, \"but first you must help me with my {}.\"",
            word(rng, "house")
        ));
        told.push(format!(
            "So the {hero} worked for {} days.",
            pick(rng, &["two", "three", "five", "seven"])
        ));
    }
    told.push(format!(
        "In the end the {hero} had {}.",
        with_article(&format!("{} {treasure}", word(rng, "quality")))
    ));
}

fn found(
    rng: &mut Rng,
    told: &mut Vec<String>,
    hero: &str,
    helper: &str,
    treasure: &str,
    spot: &str,
) {
    told.push(format!(
        "One {} the {hero} found {} {spot}.",
        pick(rng, &["day", "morning", "evening"]),
        with_article(&format!("{} {treasure}", word(rng, "color")))
    ));
    told.push(format!("\"Whose {treasure} is this?\" asked the {hero}."));
    told.push(format!(
        "\"It is mine,\" said the {helper}. \"I lost it {}.\"",
        pick(rng, &["yesterday", "last week", "in spring", "long ago"])
    ));
    told.push(format!("The {hero} gave the {treasure} to the {helper}."));
    if rng.bool() {
        told.push(format!(
            "The {helper} gave it {} to say thank you.",
            with_article(&described(rng, "food"))
        ));
    }
}

fn met(rng: &mut Rng, told: &mut Vec<String>, hero: &str, helper: &str) {
    told.push(format!(
        "One day the {hero} met {} {}.",
        with_article(helper),
        place(rng)
    ));
    told.push(format!("\"Where are you going?\" asked the {helper}."));
    told.push(format!(
        "\"I am going to the {},\" said the {hero}.",
        word(rng, "place")
    ));
    told.push(
        pick(
            rng,
            &[
                "So they went together.",
                "\"May I come too?\"",
                "\"That is far away,\" was the answer.",
                "\"Be careful!\"",
            ],
        )
        .to_owned(),
    );
    told.push(sentence(rng));
}
