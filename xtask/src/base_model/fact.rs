//! Facts as question and answer: opposites, sounds, capitals, categories.

use fastrand::Rng;

use super::document::Exchange;
use super::grammar::{capitalized, plural, with_article};
use super::lexicon::{Lexicon, pick, word};

#[rustfmt::skip]
const OPPOSITES: &[(&str, &str)] = &[
    ("big", "small"), ("hot", "cold"), ("old", "young"), ("fast", "slow"), ("high", "low"), ("wet", "dry"),
    ("hard", "soft"), ("light", "dark"), ("full", "empty"), ("open", "closed"), ("rich", "poor"), ("early", "late"),
    ("happy", "sad"), ("clean", "dirty"), ("long", "short"), ("near", "far"), ("strong", "weak"), ("loud", "quiet"),
    ("thick", "thin"), ("wide", "narrow"), ("up", "down"), ("left", "right"), ("day", "night"), ("good", "bad"),
    ("first", "last"), ("inside", "outside"), ("always", "never"), ("yes", "no"), ("black", "white"), ("true", "false"),
    ("sweet", "sour"), ("rough", "smooth"), ("sharp", "dull"), ("cheap", "expensive"), ("begin", "end"), ("love", "hate"),
    ("give", "take"), ("push", "pull"), ("buy", "sell"), ("laugh", "cry"), ("deep", "shallow"), ("brave", "afraid"),
];
#[rustfmt::skip]
const SOUNDS: &[(&str, &str)] = &[
    ("cat", "meow"), ("dog", "woof"), ("cow", "moo"), ("pig", "oink"), ("sheep", "baa"), ("duck", "quack"),
    ("hen", "cluck"), ("lion", "roar"), ("mouse", "squeak"), ("bee", "buzz"), ("snake", "hiss"), ("owl", "hoot"),
    ("frog", "croak"), ("horse", "neigh"), ("wolf", "howl"), ("crow", "caw"), ("dove", "coo"), ("donkey", "bray"),
];
#[rustfmt::skip]
const YOUNG: &[(&str, &str)] = &[
    ("cat", "kitten"), ("dog", "puppy"), ("sheep", "lamb"), ("cow", "calf"), ("horse", "foal"), ("bear", "cub"),
    ("duck", "duckling"), ("goose", "gosling"), ("frog", "tadpole"), ("hen", "chick"), ("pig", "piglet"), ("goat", "kid"),
];
#[rustfmt::skip]
const COLORS: &[(&str, &str)] = &[
    ("grass", "green"), ("snow", "white"), ("coal", "black"), ("blood", "red"), ("lemon", "yellow"), ("sky", "blue"),
    ("carrot", "orange"), ("plum", "purple"), ("chocolate", "brown"), ("milk", "white"), ("tomato", "red"),
    ("banana", "yellow"), ("flamingo", "pink"), ("elephant", "gray"), ("cucumber", "green"), ("sun", "yellow"),
];
#[rustfmt::skip]
const CAPITALS: &[(&str, &str)] = &[
    ("France", "Paris"), ("Italy", "Rome"), ("Spain", "Madrid"), ("Germany", "Berlin"), ("Japan", "Tokyo"),
    ("China", "Beijing"), ("Egypt", "Cairo"), ("Greece", "Athens"), ("Norway", "Oslo"), ("Sweden", "Stockholm"),
    ("Finland", "Helsinki"), ("Denmark", "Copenhagen"), ("Poland", "Warsaw"), ("Austria", "Vienna"), ("Hungary", "Budapest"),
    ("Portugal", "Lisbon"), ("Ireland", "Dublin"), ("Canada", "Ottawa"), ("Mexico", "Mexico City"), ("Cuba", "Havana"),
    ("Peru", "Lima"), ("Chile", "Santiago"), ("Kenya", "Nairobi"), ("India", "New Delhi"), ("Korea", "Seoul"),
    ("Thailand", "Bangkok"), ("Russia", "Moscow"), ("Turkey", "Ankara"), ("England", "London"), ("Belgium", "Brussels"),
];
#[rustfmt::skip]
const HOMES: &[(&str, &str)] = &[
    ("bee", "hive"), ("bird", "nest"), ("spider", "web"), ("horse", "stable"), ("pig", "sty"), ("fish", "water"),
    ("lion", "den"), ("king", "castle"), ("monk", "temple"), ("farmer", "farm"), ("cow", "barn"), ("rabbit", "burrow"),
];
#[rustfmt::skip]
const WORK: &[(&str, &str)] = &[
    ("baker", "bakes bread"), ("farmer", "works on a farm"), ("teacher", "teaches children"), ("doctor", "heals sick people"),
    ("painter", "paints pictures"), ("singer", "sings songs"), ("writer", "writes books"), ("driver", "drives a car"),
    ("pilot", "flies a plane"), ("sailor", "sails a ship"), ("hunter", "hunts animals"), ("cook", "cooks food"),
    ("tailor", "makes clothes"), ("barber", "cuts hair"), ("judge", "decides cases"), ("miner", "digs for coal"),
    ("gardener", "grows plants"), ("guard", "watches the gate"), ("fireman", "puts out fires"), ("actor", "acts in plays"),
];
/// Category, its singular and its plural.
#[rustfmt::skip]
const KINDS: &[(&str, &str, &str)] = &[
    ("animal", "an animal", "animals"), ("bird", "a bird", "birds"), ("fruit", "a fruit", "fruits"),
    ("vegetable", "a vegetable", "vegetables"), ("food", "a food", "foods"), ("tool", "a tool", "tools"),
    ("clothing", "a piece of clothing", "clothes"), ("vehicle", "a vehicle", "vehicles"), ("place", "a place", "places"),
    ("instrument", "an instrument", "instruments"), ("color", "a color", "colors"), ("person", "a person", "people"),
    ("body", "a part of the body", "parts of the body"), ("plant", "a plant", "plants"), ("day", "a day", "days"),
    ("month", "a month", "months"), ("number", "a number", "numbers"),
];
const TALK: &[(&str, &str)] = &[
    ("Hello", "Hello! How can I help you?"),
    ("Hello!", "Hello! How can I help you?"),
    ("Hi", "Hi! What can I do for you?"),
    ("Hi there", "Hi! What can I do for you?"),
    ("Good morning", "Good morning! How are you today?"),
    ("Good night", "Good night! Sleep well."),
    ("Goodbye", "Goodbye! See you soon."),
    ("Bye", "Goodbye! See you soon."),
    ("Thank you", "You are welcome."),
    ("Thanks!", "You are welcome."),
    ("Who are you?", "I am a small language model."),
    ("What are you?", "I am a small language model."),
    ("How are you?", "I am well, thank you."),
    (
        "What can you do?",
        "I can write short sentences, tell tiny stories and play with words.",
    ),
    ("Can you help me?", "Yes, I can. What do you need?"),
    ("Are you a person?", "No, I am a small language model."),
    ("Where do you live?", "I live in your computer."),
    (
        "Tell me a joke",
        "Why did the hen cross the road? To get to the other side.",
    ),
];

/// A question about one of the tables, and its answer.
pub(crate) fn fact(rng: &mut Rng) -> Exchange {
    match rng.usize(..16) {
        0 => {
            let (one, other) = either_way(rng, OPPOSITES);
            let ask = pick(
                rng,
                &[
                    "What is the opposite of {}?",
                    "The opposite of {}?",
                    "Say the opposite of {}.",
                ],
            );
            Exchange::new(
                ask.replace("{}", one),
                format!("The opposite of {one} is {other}."),
            )
        }
        1 => {
            let (animal, sound) = of(rng, SOUNDS);
            Exchange::new(
                format!("What does {} say?", with_article(animal)),
                format!("{} says {sound}.", capitalized(&with_article(animal))),
            )
        }
        2 => {
            let (animal, young) = of(rng, YOUNG);
            Exchange::new(
                format!("What is a young {animal} called?"),
                format!("A young {animal} is called {}.", with_article(young)),
            )
        }
        3 => {
            let (thing, color) = of(rng, COLORS);
            Exchange::new(
                format!("What color is {thing}?"),
                format!("{} is {color}.", capitalized(thing)),
            )
        }
        4 => {
            let (country, capital) = of(rng, CAPITALS);
            let ask = pick(
                rng,
                &[
                    "What is the capital of {}?",
                    "Which city is the capital of {}?",
                ],
            );
            Exchange::new(
                ask.replace("{}", country),
                format!("The capital of {country} is {capital}."),
            )
        }
        5 => {
            let (who, home) = of(rng, HOMES);
            Exchange::new(
                format!("Where does {} live?", with_article(who)),
                format!(
                    "{} lives in {}.",
                    capitalized(&with_article(who)),
                    with_article(home)
                )
                .replace("a water", "water"),
            )
        }
        6 => {
            let (who, does) = of(rng, WORK);
            Exchange::new(
                format!("What does {} do?", with_article(who)),
                format!("{} {does}.", capitalized(&with_article(who))),
            )
        }
        7 | 8 => order(rng),
        9 | 10 => {
            let (user, assistant) = of(rng, TALK);
            Exchange::new(user, assistant)
        }
        _ => kind(rng),
    }
}

fn kind(rng: &mut Rng) -> Exchange {
    let (category, one, many) = KINDS[rng.usize(..KINDS.len())];
    let item = word(rng, category);
    let one_item = match category {
        "color" | "number" | "food" | "clothing" => item.to_owned(),
        "day" | "month" => capitalized(item),
        _ => with_article(item),
    };
    match rng.usize(..4) {
        0 => Exchange::new(
            format!("What is {one_item}?"),
            format!("{} is {one}.", capitalized(&one_item)),
        ),
        1 => {
            let (_, other, _) = KINDS[rng.usize(..KINDS.len())];
            let answer = if other == one {
                format!("Yes, it is {one}.")
            } else {
                format!("No, it is {one}.")
            };
            Exchange::new(format!("Is {one_item} {other}?"), answer)
        }
        2 => {
            let count = 2 + rng.usize(..3);
            let mut words = Lexicon::get().of(category).to_vec();
            rng.shuffle(&mut words);
            words.truncate(count);
            let names: Vec<String> = words.iter().map(|word| named(category, word)).collect();
            let last = names.len() - 1;
            let number = ["two", "three", "four"][count - 2];
            Exchange::new(
                format!("Name {number} {many}."),
                capitalized(&format!(
                    "{} and {}.",
                    names[..last].join(", "),
                    names[last]
                )),
            )
        }
        _ => Exchange::new(
            format!("Name {one}."),
            capitalized(&named(category, item)) + ".",
        ),
    }
}

fn order(rng: &mut Rng) -> Exchange {
    let category = pick(rng, &["day", "month", "number"]);
    let words = Lexicon::get().of(category);
    let words = &words[..words.len().min(20)];
    let at = rng.usize(..words.len() - 1);
    let (before, after) = (capitalized(words[at]), capitalized(words[at + 1]));
    if rng.bool() {
        Exchange::new(
            format!("What comes after {before}?"),
            format!("After {before} comes {after}."),
        )
    } else {
        Exchange::new(
            format!("What comes before {after}?"),
            format!("Before {after} comes {before}."),
        )
    }
}

fn named(category: &str, item: &str) -> String {
    match category {
        "day" | "month" => capitalized(item),
        "person" | "animal" | "bird" | "tool" | "vehicle" => plural(item),
        _ => item.to_owned(),
    }
}

fn of(rng: &mut Rng, table: &[(&'static str, &'static str)]) -> (&'static str, &'static str) {
    table[rng.usize(..table.len())]
}

fn either_way(
    rng: &mut Rng,
    table: &[(&'static str, &'static str)],
) -> (&'static str, &'static str) {
    let (one, other) = of(rng, table);
    if rng.bool() {
        (one, other)
    } else {
        (other, one)
    }
}
