//! Results and errors.

use super::values;
use crate::vectors::expected;
use crate::vectors::outcome::Outcome;
use crate::vectors::replay::Replay;
use crate::vectors::vector::Vector;
use crate::vectors::verdict::{Aspect, Mismatch};

pub(super) fn compare(vector: &Vector, replay: &Replay, found: &mut Vec<Mismatch>) {
    let expected = expected::words(vector);
    let failed = replay.outcomes.iter().find(|(_, outcome)| !outcome.is_ok());
    let words = failed.map_or_else(|| "ok".to_owned(), |(_, outcome)| outcome.words());
    let mut differ = |what: String| found.push(Mismatch::new(Aspect::Outcome, what));
    if words != expected {
        let shown = failed.map_or_else(String::new, |(name, outcome)| shown(name, outcome));
        return differ(format!("expected {expected:?}, is {words:?}{shown}"));
    }
    if let Err(what) = compare_further(vector, replay) {
        return differ(what);
    }
    let Some((name, outcome)) = failed else {
        return values::compare(vector, replay, found);
    };
    if let Some(what) = said_otherwise(vector, outcome) {
        differ(format!("{name}: {what}"));
    }
}

/// Compares the errors of further calls after the first failed one.
fn compare_further(vector: &Vector, replay: &Replay) -> Result<(), String> {
    let mut expected = expected::further(vector)?;
    if vector.extra.contains_key("errors") {
        let calls = replay.outcomes.iter();
        let calls = calls.filter(|(_, outcome)| !matches!(outcome, Outcome::Model(_)));
        expected.extend(calls.map(|(name, _)| (*name, "invalid value".to_owned())));
    }
    for (name, words) in expected {
        let mut calls = replay.outcomes.iter().filter(|(other, _)| *other == name);
        let is_so = calls.clone().count() > 0 && calls.all(|(_, outcome)| outcome.words() == words);
        if !is_so {
            return Err(format!("{name}: expected {words:?}"));
        }
    }
    Ok(())
}

fn shown(name: &str, outcome: &Outcome) -> String {
    let Some(error) = outcome.error() else {
        return format!(" ({name})");
    };
    format!(" ({name}: {error:#})")
}

/// Whether the error contains the server's message.
fn said_otherwise(vector: &Vector, outcome: &Outcome) -> Option<String> {
    use tinker_client::Error;
    let recorded = vector.error.as_ref()?;
    match outcome.error()? {
        Error::Status(error) => {
            let expected = expected::detail(recorded)?;
            (error.detail() != expected)
                .then(|| format!("expected the detail {expected:?}, is {:?}", error.detail()))
        }
        Error::Failed(error) => {
            let id = recorded.request_id.as_deref().unwrap_or_default();
            let is_same = error.request_id().as_str() == id
                && recorded.message.contains(&format!(" {} ", error.message()));
            (!is_same).then(|| format!("expected {:?}, is {error}", recorded.message))
        }
        Error::Export(error) => {
            let is_same = recorded.message.contains(error.message())
                && recorded.message.contains(error.session_id().as_str());
            (!is_same).then(|| format!("expected {:?}, is {error}", recorded.message))
        }
        Error::Loss(error) => {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            (cause.as_ref() != Some(&recorded.message))
                .then(|| format!("expected {:?}, is {cause:?}", recorded.message))
        }
        Error::Gone(error) => {
            let id = error.request_id().as_str();
            (!recorded.message.contains(id))
                .then(|| format!("expected {:?}, is {error}", recorded.message))
        }
        _ => None,
    }
}
