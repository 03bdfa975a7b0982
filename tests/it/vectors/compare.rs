//! Comparison of a recording with its replay.

mod console;
mod heads;
mod keys;
mod outcomes;
mod pace;
mod requests;
mod telemetry;
mod values;

use super::replay::Replay;
use super::vector::Vector;
use super::verdict::{Aspect, Mismatch};

/// All differences between the replay and the recording.
pub(crate) fn compare(vector: &Vector, replay: &Replay) -> Vec<Mismatch> {
    let mut found = Vec::new();
    requests::compare(vector, &replay.sent, &mut found);
    requests::compare_order(vector, &replay.sent, &mut found);
    heads::compare(vector, &replay.sent, &mut found);
    keys::compare(vector, &replay.sent, &mut found);
    pace::compare(vector, &replay.sent, &mut found);
    outcomes::compare(vector, replay, &mut found);
    compare_log(vector, replay, &mut found);
    found
}

fn compare_log(vector: &Vector, replay: &Replay, found: &mut Vec<Mismatch>) {
    let expected = vector.extra.get("logged").and_then(|log| log.as_array());
    for line in expected.into_iter().flatten() {
        let (level, text) = (&line[0], line[1].as_str().unwrap_or_default());
        let is_there = replay
            .notes
            .iter()
            .any(|note| *level == note.level && note.text.ends_with(text));
        if !is_there {
            let what = format!("{level} {text:?} is not logged; {:?}", replay.notes);
            found.push(Mismatch::new(Aspect::Log, what));
        }
    }
}
