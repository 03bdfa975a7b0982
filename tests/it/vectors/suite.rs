//! Every recording as a test.

use std::error::Error;
use std::sync::Arc;

use super::compare::compare;
use super::forms;
use super::known::{self, Absence, Difference};
use super::plan::{Plan, plan};
use super::replay::{Replay, replay};
use super::report::{self, Line};
use super::vector::{self, Vector};
use super::verdict::{Mismatch, Verdict};

#[test]
fn every_recorded_vector() -> Result<(), Box<dyn Error>> {
    let vectors = vector::load_all()?;
    assert!(vectors.len() > 200, "{} recordings", vectors.len());
    for known in known::names() {
        let exists = vectors.iter().any(|vector| vector.name == known);
        assert!(exists, "there is no recording {known}");
    }
    let mut lines = Vec::new();
    for vector in vectors {
        let vector = Arc::new(vector);
        let verdict = judge(&vector);
        let name = vector.name.clone();
        lines.push(Line { name, verdict });
    }
    let failed: Vec<String> = lines.iter().filter_map(report::failure).collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
    report::check(&lines)?;
    Ok(())
}

/// Compares one recording with the behaviour of our client.
pub(crate) fn judge(vector: &Arc<Vector>) -> Verdict {
    let forms = forms::compare(vector);
    if !forms.is_empty() {
        return failed(&forms);
    }
    if let Some(Absence::LeftOut(reason)) = known::absence(&vector.name) {
        return Verdict::LeftOut(reason);
    }
    let plan = match plan(vector) {
        Ok(plan) => plan,
        Err(error) => return Verdict::Failed(vec![error]),
    };
    if !plan.not_yet.is_empty() {
        let apis: Vec<_> = plan.not_yet.into_iter().collect();
        return Verdict::NotYet(apis.join(", "));
    }
    let replay = match run(vector, plan) {
        Ok(replay) => replay,
        Err(error) => return Verdict::Failed(vec![error]),
    };
    let found = compare(vector, &replay);
    match known::difference(&vector.name) {
        Some(difference) => excuse(difference, &found, &replay),
        None if !found.is_empty() => failed(&found),
        None => Verdict::Passed,
    }
}

/// Replays in a separate runtime, whose paused clock skips waits where possible.
fn run(vector: &Arc<Vector>, plan: Plan) -> Result<Replay, String> {
    if plan.steps.is_empty() {
        return Err("no call could be derived, and none is known".to_owned());
    }
    let is_paused = !known::runs_a_program(&vector.name);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(is_paused)
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(replay(vector, plan))
}

/// Checks that a known difference appears, and no other.
fn excuse(difference: &'static Difference, found: &[Mismatch], replay: &Replay) -> Verdict {
    let words = replay
        .outcomes
        .iter()
        .map(|(_, outcome)| outcome.words())
        .find(|words| words != "ok")
        .unwrap_or_else(|| "ok".to_owned());
    let mut wrong: Vec<String> = found
        .iter()
        .filter(|mismatch| {
            let is_elsewhere = !mismatch.what.contains(difference.about);
            !difference.aspects.contains(&mismatch.aspect) || is_elsewhere
        })
        .map(Mismatch::to_string)
        .collect();
    for aspect in difference.aspects {
        if !found.iter().any(|mismatch| mismatch.aspect == *aspect) {
            wrong.push(format!("does not differ in {aspect:?} any more"));
        }
    }
    if words != difference.outcome {
        wrong.push(format!(
            "ends with {words:?} and not, as noted, {:?}",
            difference.outcome
        ));
    }
    match difference {
        _ if !wrong.is_empty() => Verdict::Failed(wrong),
        Difference { is_meant: true, .. } => Verdict::Different(difference.reason),
        Difference { .. } => Verdict::Fault(difference.reason),
    }
}

fn failed(found: &[Mismatch]) -> Verdict {
    Verdict::Failed(found.iter().map(Mismatch::to_string).collect())
}
