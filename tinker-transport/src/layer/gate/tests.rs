use std::time::Duration;

use super::*;
use crate::fixture::{Seen, answer, leaf, request, scripted};
use crate::layer::RetryLayer;
use crate::policy::Effort;
use crate::request::replay::Replay;
use crate::stack::transport::Transport;

fn stack(statuses: &[u16]) -> (Transport, Seen) {
    let (leaf, seen) = scripted(statuses);
    (
        leaf.layer(GateLayer::new(Gate::new()))
            .layer(RetryLayer::new()),
        seen,
    )
}

fn sample(weight: u64) -> Request<Body> {
    request(
        Call::new("sample", Class::Sample)
            .with_replay(Replay::Safe)
            .with_weight(weight),
    )
}

#[tokio::test(start_paused = true)]
async fn a_throttled_sample_waits_one_second_or_five_and_counts_no_attempt() {
    let (transport, seen) = stack(&[429, 429, 429]);
    let response = transport.call(sample(131_072)).await.unwrap();
    assert_eq!(seen.seconds(), [0.0, 1.0, 2.0, 3.0]);
    let effort = response.extensions().get::<Effort>().unwrap();
    assert_eq!((effort.attempts, effort.elapsed), (1, Duration::ZERO));

    let (transport, seen) = stack(&[429, 429]);
    transport.call(sample(131_073)).await.unwrap();
    assert_eq!(seen.seconds(), [0.0, 5.0, 10.0]);
}

#[tokio::test(start_paused = true)]
async fn throttling_goes_on_for_ever_and_leaves_the_time_for_real_failures() {
    let mut statuses = vec![429; 1000];
    statuses.extend([503, 503]);
    let (transport, seen) = stack(&statuses);
    let response = transport.call(sample(1)).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(seen.seconds()[1000..], [1000.0, 1001.0, 1003.0]);
    assert_eq!(
        response.extensions().get::<Effort>().unwrap().elapsed,
        Duration::from_secs(3)
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_429_is_not_held_against_the_call() {
    let seen = Seen::new();
    let log = seen.clone();
    let leaf = leaf(move |request| {
        let number = log.count();
        log.note(request);
        let (status, seconds) = [(429, 200), (429, 200), (503, 0), (200, 0)][number];
        async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok(answer(status))
        }
    });
    let transport = leaf
        .layer(GateLayer::new(Gate::new()))
        .layer(RetryLayer::new());
    let response = transport.call(sample(1)).await.unwrap();
    assert_eq!(seen.seconds(), [0.0, 201.0, 402.0, 403.0]);
    let effort = response.extensions().get::<Effort>().unwrap();
    assert_eq!(
        (effort.attempts, effort.elapsed),
        (2, Duration::from_secs(1))
    );
}

#[tokio::test(start_paused = true)]
async fn one_throttled_sample_holds_all_samples_and_nothing_else() {
    let (transport, seen) = stack(&[429]);
    let first = tokio::spawn(transport.call(sample(1)));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let training = request(Call::new("forward_backward", Class::Train));
    let (second, other, first) =
        tokio::join!(transport.call(sample(1)), transport.call(training), first);
    assert!(second.is_ok() && other.is_ok() && first.unwrap().is_ok());
    assert_eq!(seen.seconds(), [0.0, 0.1, 1.0, 1.0]);
}

#[tokio::test(start_paused = true)]
async fn a_429_of_another_class_is_for_the_policy() {
    let (transport, seen) = stack(&[429, 429]);
    let response = transport
        .call(request(Call::new("list", Class::Rest)))
        .await
        .unwrap();
    assert_eq!(seen.seconds(), [0.0, 1.0, 3.0]);
    assert_eq!(response.extensions().get::<Effort>().unwrap().attempts, 3);
}

#[tokio::test(start_paused = true)]
async fn a_402_pauses_in_steps_of_five_seconds_for_an_hour() {
    let (transport, seen) = stack(&[402, 402]);
    let response = transport
        .call(request(Call::new("optim_step", Class::Train)))
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(seen.seconds(), [0.0, 5.0, 10.0]);

    let (transport, seen) = stack(&[402; 2000]);
    let response = transport
        .call(request(Call::new("optim_step", Class::Train)))
        .await
        .unwrap();
    assert_eq!(response.status(), 402, "after the limit the caller gets it");
    assert_eq!(seen.seconds().last(), Some(&3605.0));
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_the_pause_is_looked_at_before_each_wait() {
    for (limit, raised_at) in [(0, 5.0), (3, 5.0), (12, 15.0), (15, 20.0)] {
        let (leaf, seen) = scripted(&[402; 20]);
        let gate = GateLayer::new(Gate::new()).with_pause_limit(Duration::from_secs(limit));
        let transport = leaf.layer(gate).layer(RetryLayer::new());
        let call = Call::new("optim_step", Class::Train);
        let response = transport.call(request(call)).await.unwrap();
        assert_eq!(response.status(), 402);
        assert_eq!(seen.seconds().last(), Some(&raised_at), "limit {limit} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_402_is_raised_at_once_where_the_call_says_so() {
    let (transport, seen) = stack(&[402, 402]);
    let created = transport
        .call(request(Call::new("create_session", Class::Session)))
        .await
        .unwrap();
    let model = Call::new("create_model", Class::Train).with_billing(Billing::Raise);
    assert_eq!(
        (
            created.status().as_u16(),
            transport
                .call(request(model))
                .await
                .unwrap()
                .status()
                .as_u16()
        ),
        (402, 402)
    );
    assert_eq!(seen.seconds(), [0.0, 0.0]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_wait() {
    let (transport, seen) = stack(&[429; 100]);
    let deadline = tokio::time::Instant::now() + Duration::from_millis(2500);
    let call = Call::new("sample", Class::Sample)
        .with_replay(Replay::Safe)
        .with_deadline(deadline);
    let error = transport.call(request(call)).await.unwrap_err();
    assert!(error.is_timeout() && !error.may_have_been_received());
    assert_eq!(seen.seconds(), [0.0, 1.0, 2.0]);
    assert_eq!(tokio::time::Instant::now(), deadline);
}
