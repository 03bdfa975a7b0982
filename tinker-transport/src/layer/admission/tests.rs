use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::sync::watch;

use super::*;
use crate::error::{Kind, Stage};
use crate::fixture::{Seen, answer, leaf, request};
use crate::stack::transport::Transport;

/// A leaf that responds once `open` is true, behind an admission layer with the given limits.
fn slow(limits: ClassLimits, gate: Option<Gate>) -> (Transport, Seen, watch::Sender<bool>) {
    let (open, waiting) = watch::channel(false);
    let seen = Seen::new();
    let log = seen.clone();
    let leaf = leaf(move |request| {
        log.note(request);
        let mut waiting = waiting.clone();
        async move {
            waiting.wait_for(|open| *open).await.unwrap();
            Ok(answer(200))
        }
    });
    let mut layer = AdmissionLayer::new(&PerClass::default().with(Class::Sample, limits));
    layer.gate = gate;
    (leaf.layer(layer), seen, open)
}

fn limits(calls: usize, bytes: u32) -> ClassLimits {
    ClassLimits::of(Class::Sample)
        .with_concurrency(NonZeroUsize::new(calls).unwrap())
        .with_bytes(bytes)
}

fn sample(weight: u64) -> Request<Body> {
    request(Call::new("sample", Class::Sample).with_weight(weight))
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_count_wait_and_a_dropped_call_makes_room() {
    let (transport, seen, _open) = slow(limits(2, 1000), None);
    let first = tokio::spawn(transport.call(sample(1)));
    let _second = tokio::spawn(transport.call(sample(1)));
    let _third = tokio::spawn(transport.call(sample(1)));
    settle().await;
    assert_eq!(seen.count(), 2);
    first.abort();
    settle().await;
    assert_eq!(seen.count(), 3, "the permit came back by drop");
}

#[tokio::test(start_paused = true)]
async fn bytes_are_counted_and_a_giant_takes_the_whole_room() {
    let (transport, seen, open) = slow(limits(100, 1000), None);
    let calls: Vec<_> = [600, 600, 999_999]
        .into_iter()
        .map(|weight| tokio::spawn(transport.call(sample(weight))))
        .collect();
    settle().await;
    assert_eq!(seen.count(), 1);
    open.send(true).unwrap();
    for call in calls {
        // The clock is paused: a call that never gets its permit times out here immediately.
        let response = tokio::time::timeout(Duration::from_mins(1), call)
            .await
            .expect("no permit");
        assert_eq!(response.unwrap().unwrap().status(), 200);
    }
    assert_eq!(seen.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn classes_do_not_share_room() {
    let (transport, seen, _open) = slow(limits(1, 1000), None);
    let _sample = tokio::spawn(transport.call(sample(1)));
    let _rest = tokio::spawn(transport.call(request(Call::new("list", Class::Rest))));
    settle().await;
    assert_eq!(seen.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn under_back_pressure_ten_samples_go_at_a_time() {
    let gate = Gate::new();
    gate.throttle(1);
    let (transport, seen, _open) = slow(limits(400, 1_000_000), Some(gate.clone()));
    let _calls: Vec<_> = (0..30)
        .map(|_| tokio::spawn(transport.call(sample(1))))
        .collect();
    settle().await;
    assert_eq!(seen.count(), 10);

    // Ten samples of 100 bytes count 2000 each: five use up the limit.
    let (transport, seen, _open) = slow(limits(400, 10_000), Some(gate));
    let _calls: Vec<_> = (0..30)
        .map(|_| tokio::spawn(transport.call(sample(100))))
        .collect();
    settle().await;
    assert_eq!(seen.count(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_wait_for_a_permit() {
    let (transport, _seen, _open) = slow(limits(1, 1000), None);
    let _first = tokio::spawn(transport.call(sample(1)));
    settle().await;
    let deadline = Instant::now() + Duration::from_secs(3);
    let call = Call::new("sample", Class::Sample).with_deadline(deadline);
    let error = transport.call(request(call)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.stage(), error.operation()),
        (Kind::Timeout, Stage::NotSent, Some("sample"))
    );
    assert_eq!(Instant::now(), deadline);
}
