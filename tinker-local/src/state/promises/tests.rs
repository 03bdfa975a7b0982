use std::time::Duration;

use bytes::Bytes;
use tinker_types::ErrorCategory;

use super::*;

fn promises(change: impl FnOnce(&mut Limits)) -> Arc<Promises> {
    let mut limits = Limits::default();
    change(&mut limits);
    Promises::new(limits)
}

fn accept(promises: &Arc<Promises>, id: &str) -> PromiseWriter {
    promises
        .accept(id.into(), RequestType::OptimStep, 10, false)
        .unwrap()
        .unwrap()
}

fn json(bytes: usize) -> Payload {
    Payload::Json(Bytes::from(vec![b' '; bytes]))
}

fn state(promises: &Promises, id: &str) -> &'static str {
    match promises.find(&id.into()) {
        Found::Known(promise) if promise.outcome().is_some() => "done",
        Found::Known(_) => "open",
        Found::Expired => "expired",
        Found::Unknown => "unknown",
    }
}

#[test]
fn a_dropped_duty_is_a_failure() {
    let promises = promises(|_| ());
    drop(accept(&promises, "a"));
    let Found::Known(promise) = promises.find(&"a".into()) else {
        panic!()
    };
    let failure = promise.outcome().unwrap().as_ref().unwrap_err();
    assert_eq!(failure.category, ErrorCategory::Server);
    assert!(failure.error.contains("stopped"));
    assert_eq!(promises.table().queued.operations, 0);
}

#[test]
fn fetched_results_go_before_unfetched_ones_and_are_remembered_as_expired() {
    let promises = promises(|limits| limits.kept_results = 2);
    for id in ["a", "b"] {
        accept(&promises, id).settle(Ok(json(1)));
    }
    promises.note_fetch(&"b".into());
    promises.note_fetch(&"b".into());
    accept(&promises, "c").settle(Ok(json(1)));
    assert_eq!(
        ["a", "b", "c", "d"].map(|id| state(&promises, id)),
        ["done", "expired", "done", "unknown"]
    );
    accept(&promises, "d").settle(Ok(json(1)));
    assert_eq!(
        ["a", "c", "d"].map(|id| state(&promises, id)),
        ["expired", "done", "done"]
    );
}

#[test]
fn kept_bytes_are_bounded_but_the_newest_result_stays() {
    let promises = promises(|limits| limits.kept_bytes = 100);
    accept(&promises, "a").settle(Ok(json(60)));
    accept(&promises, "b").settle(Ok(json(60)));
    assert_eq!(
        ["a", "b"].map(|id| state(&promises, id)),
        ["expired", "done"]
    );
    accept(&promises, "c").settle(Ok(json(500)));
    assert_eq!(
        ["b", "c"].map(|id| state(&promises, id)),
        ["expired", "done"]
    );
    assert_eq!(promises.table().kept_bytes, 500);
}

#[test]
fn a_fetched_result_is_kept_for_a_while_only() {
    let promises = promises(|limits| limits.kept_after_fetch = Duration::ZERO);
    accept(&promises, "a").settle(Ok(json(1)));
    promises.note_fetch(&"a".into());
    std::thread::sleep(Duration::from_millis(2));
    accept(&promises, "b").settle(Ok(json(1)));
    assert_eq!(
        ["a", "b"].map(|id| state(&promises, id)),
        ["expired", "done"]
    );
}

#[test]
fn a_full_queue_refuses_except_what_others_wait_for() {
    let promises = promises(|limits| {
        limits.queued_operations = 1;
        limits.queued_bytes = 100;
    });
    let first = accept(&promises, "a");
    assert!(
        promises
            .accept("b".into(), RequestType::OptimStep, 1, false)
            .is_err()
    );
    let awaited = promises
        .accept("b".into(), RequestType::OptimStep, 1, true)
        .unwrap();
    let other_queue = promises
        .accept("c".into(), RequestType::Sample, 1, false)
        .unwrap();
    assert!(
        promises
            .accept("d".into(), RequestType::Sample, 100, false)
            .is_err(),
        "bytes are shared"
    );
    drop((first, awaited, other_queue));
    let large = promises.accept("e".into(), RequestType::OptimStep, 1000, false);
    assert!(large.is_ok(), "a request larger than the budget goes alone");
}

#[test]
fn a_cancel_wins_only_before_the_end() {
    let promises = promises(|_| ());
    let duty = accept(&promises, "a");
    assert!(promises.cancel(&"a".into()));
    assert!(duty.is_settled());
    duty.settle(Ok(json(1)));
    let Found::Known(promise) = promises.find(&"a".into()) else {
        panic!()
    };
    assert!(promise.outcome().unwrap().is_err());
    assert!(!promises.cancel(&"a".into()) && !promises.cancel(&"b".into()));
    assert_eq!(promises.table().queued.operations, 0);
}

#[test]
fn the_same_operation_is_taken_in_once() {
    let promises = promises(|limits| limits.queued_operations = 1);
    let duty = accept(&promises, "a");
    assert!(
        promises
            .accept("a".into(), RequestType::OptimStep, 10, false)
            .unwrap()
            .is_none(),
        "full or not"
    );
    duty.settle(Ok(json(1)));
    assert!(
        promises
            .accept("a".into(), RequestType::OptimStep, 10, false)
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_panic_is_named() {
    let promises = promises(|_| ());
    let duty = accept(&promises, "a");
    let _ = std::thread::spawn(move || {
        let _duty = duty;
        panic!("on purpose");
    })
    .join();
    let Found::Known(promise) = promises.find(&"a".into()) else {
        panic!()
    };
    assert!(
        promise
            .outcome()
            .unwrap()
            .as_ref()
            .unwrap_err()
            .error
            .contains("crashed")
    );
}
