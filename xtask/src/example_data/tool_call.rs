//! Tool calls: `Turn on the lamp in the kitchen.` becomes
//! `switch(what="lamp", where="kitchen", to="on")`.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::split::{Pair, Split};
use super::vocabulary::Vocabulary;
use crate::base_model::grammar::plural;
use crate::base_model::lexicon::pick;

const TRAIN_LINES: usize = 2_400;
const HELD_OUT_LINES: usize = 64;
const NUMBERS: &[&str] = &[
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
];

/// One side of each vocabulary of the requests.
struct Words {
    goods: Vec<&'static str>,
    people: Vec<&'static str>,
    places: Vec<&'static str>,
    devices: Vec<&'static str>,
}

pub(super) fn split() -> Split<Pair> {
    let goods = Vocabulary::of(&["fruit", "vegetable", "tool", "clothing"], 4);
    let people = Vocabulary::of(&["person"], 4);
    let places = Vocabulary::of(&["place"], 4);
    let devices = Vocabulary::of(&["device"], 4);
    let mut rng = Rng::with_seed(21);
    let train = Words {
        goods: goods.train,
        people: people.train,
        places: places.train,
        devices: devices.train,
    };
    let held_out = Words {
        goods: goods.held_out,
        people: people.held_out,
        places: places.held_out,
        devices: devices.held_out,
    };
    Split {
        train: lines(&mut rng, &train, TRAIN_LINES),
        held_out: lines(&mut rng, &held_out, HELD_OUT_LINES),
    }
}

fn lines(rng: &mut Rng, words: &Words, count: usize) -> Vec<Pair> {
    let mut seen = BTreeSet::new();
    let mut lines = Vec::with_capacity(count);
    while lines.len() < count {
        let pair = call(rng, words);
        if seen.insert(pair.0.clone()) {
            lines.push(pair);
        }
    }
    lines
}

fn call(rng: &mut Rng, words: &Words) -> Pair {
    let place = pick(rng, &words.places);
    match rng.usize(..5) {
        0 => {
            let (item, number) = (plural(pick(rng, &words.goods)), rng.usize(..NUMBERS.len()));
            let ask = pick(
                rng,
                &[
                    "Buy N I.",
                    "Please order N I.",
                    "We need N I.",
                    "Get me N I, please.",
                ],
            );
            let count = number + 2;
            (
                ask.replace('N', NUMBERS[number]).replace('I', &item),
                format!("buy(item=\"{item}\", count={count})"),
            )
        }
        1 => {
            let who = pick(rng, &words.people);
            let ask = pick(
                rng,
                &[
                    "Call the W at the P.",
                    "Please phone the W at the P.",
                    "Ring the W at the P.",
                ],
            );
            (
                ask.replace('W', who)
                    .replace("the P", &format!("the {place}")),
                format!("call(who=\"{who}\", where=\"{place}\")"),
            )
        }
        2 => {
            let (what, on) = (pick(rng, &words.devices), rng.bool());
            let state = if on { "on" } else { "off" };
            let ask = pick(
                rng,
                &[
                    "Turn S the D.",
                    "Please switch S the D.",
                    "Turn the D S, please.",
                    "Switch the D S.",
                ],
            );
            (
                ask.replace('D', what).replace(" S", &format!(" {state}")),
                format!("switch(what=\"{what}\", to=\"{state}\")"),
            )
        }
        3 => {
            let ask = pick(
                rng,
                &[
                    "How do I get to the P?",
                    "Show me the way to the P.",
                    "Take me to the P.",
                    "Where is the P?",
                ],
            );
            (
                ask.replace("the P", &format!("the {place}")),
                format!("route(to=\"{place}\")"),
            )
        }
        _ => {
            let (who, hour) = (pick(rng, &words.people), rng.usize(..NUMBERS.len()));
            let ask = pick(
                rng,
                &[
                    "Remind me to meet the W at N.",
                    "I meet the W at N.",
                    "Set a meeting with the W at N.",
                ],
            );
            let at = hour + 2;
            (
                ask.replace('W', who).replace('N', NUMBERS[hour]),
                format!("remind(what=\"meet the {who}\", at=\"{at}:00\")"),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_out_requests_are_new() {
        let Split { train, held_out } = split();
        let asked: BTreeSet<&String> = train.iter().map(|(user, _)| user).collect();
        assert_eq!(held_out.len(), HELD_OUT_LINES);
        assert!(held_out.iter().all(|(user, _)| !asked.contains(user)));
    }
}
