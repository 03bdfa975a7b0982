//! Structured text: key and value lines, JSON, code-like calls, sentences turned into fields.

use fastrand::Rng;

use super::document::Exchange;
use super::grammar::{capitalized, past, plural};
use super::lexicon::{pick, task_word, word, word_of};
use super::sentence::Clause;

/// A record in some notation.
pub(crate) fn record(rng: &mut Rng) -> String {
    let fields = fields(rng);
    written(rng, &fields)
}

/// A text, and the fields that it contains.
pub(crate) fn extraction(rng: &mut Rng) -> Exchange {
    match rng.usize(..4) {
        0 => {
            let clause = Clause::draw(rng);
            let fields = [
                ("who", clause.subject.clone()),
                ("did", past(clause.verb)),
                ("what", clause.object.clone()),
            ];
            Exchange::new(
                format!("{} Who, did, what?", clause.sentence()),
                lines(&fields),
            )
        }
        1 => {
            let fields = fields(rng);
            let asked = rng.usize(..fields.len());
            let (key, value) = &fields[asked];
            Exchange::new(
                format!("{}\nWhat is the {key}?", written(rng, &fields)),
                value,
            )
        }
        2 => {
            let fields = fields(rng);
            Exchange::new(format!("Write as JSON: {}", pairs(&fields)), json(&fields))
        }
        _ => {
            let (count, item) = (
                2 + rng.usize(..8),
                word_of(rng, &["fruit", "vegetable", "food", "tool", "clothing"]),
            );
            let order = format!("I would like {count} {}, please.", plural(item));
            Exchange::new(format!("Order: {order}"), format!("{count} x {item}"))
        }
    }
}

fn fields(rng: &mut Rng) -> Vec<(&'static str, String)> {
    let mut keys = vec![
        "name", "color", "size", "kind", "place", "count", "material", "mood", "day",
    ];
    rng.shuffle(&mut keys);
    keys.truncate(2 + rng.usize(..3));
    keys.into_iter()
        .map(|key| {
            let value = match key {
                "name" => task_word(rng),
                "kind" => word_of(rng, &["animal", "fruit", "tool", "vehicle"]).to_owned(),
                "count" => rng.usize(..100).to_string(),
                "mood" => word(rng, "feeling").to_owned(),
                _ => word(rng, key).to_owned(),
            };
            (key, value)
        })
        .collect()
}

fn written(rng: &mut Rng, fields: &[(&str, String)]) -> String {
    match rng.usize(..5) {
        0 => json(fields),
        1 => lines(fields),
        2 => joined(fields, "", |key, value| format!("<{key}>{value}</{key}>")),
        3 => {
            let name = pick(rng, &["add", "set", "make", "find", "call"]);
            let arguments = joined(fields, ", ", |key, value| format!("{key}=\"{value}\""));
            format!("{name}({arguments})")
        }
        _ => pairs(fields),
    }
}

fn json(fields: &[(&str, String)]) -> String {
    format!(
        "{{{}}}",
        joined(fields, ", ", |key, value| format!("\"{key}\": \"{value}\""))
    )
}

fn lines(fields: &[(&str, String)]) -> String {
    joined(fields, "\n", |key, value| {
        format!("{}: {value}", capitalized(key))
    })
}

fn pairs(fields: &[(&str, String)]) -> String {
    joined(fields, " ", |key, value| format!("{key}={value}"))
}

fn joined(
    fields: &[(&str, String)],
    between: &str,
    written: impl Fn(&str, &str) -> String,
) -> String {
    fields
        .iter()
        .map(|(key, value)| written(key, value))
        .collect::<Vec<_>>()
        .join(between)
}
