use http::Request;

use super::*;
use crate::body::Body;
use crate::fixture::{Seen, answer, events, leaf, request, scripted};
use crate::layer::RetryLayer;
use crate::policy::{Effort, Policy, Verdict};
use crate::request::replay::Replay;
use crate::stack::transport::Transport;

fn safe(class: Class) -> Request<Body> {
    request(Call::new("x", class).with_replay(Replay::Safe))
}

/// Opens after two failures of two.
fn touchy(layer: BreakerLayer) -> BreakerLayer {
    layer.with_window(2).with_minimum(2)
}

fn stack(statuses: &[u16], layer: BreakerLayer) -> (Transport, Seen) {
    let (leaf, seen) = scripted(statuses);
    (leaf.layer(touchy(layer)), seen)
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_refuses_at_once_and_says_for_how_long() {
    let (observers, told) = events();
    let layer = BreakerLayer::per_class().with_observers(observers);
    let (transport, seen) = stack(&[503, 500], layer);
    for _ in 0..2 {
        transport.call(safe(Class::Train)).await.unwrap();
    }
    tokio::time::advance(Duration::from_millis(2500)).await;
    let error = transport.call(safe(Class::Train)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.stage(), error.retry_after()),
        (
            Kind::Unavailable,
            Stage::NotSent,
            Some(Duration::from_millis(7500))
        )
    );
    assert_eq!(
        error.to_string(),
        "not sent: 2 of the last 2 tries failed and the circuit breaker for train requests is open; \
         it lets a request through in 7.5 s"
    );
    assert_eq!(seen.count(), 2);
    transport.call(safe(Class::Rest)).await.unwrap();
    assert_eq!(seen.count(), 3, "another class is not concerned");

    tokio::time::advance(Duration::from_millis(7500)).await;
    transport.call(safe(Class::Train)).await.unwrap();
    let text = told.lock().unwrap().join("\n");
    let states: Vec<_> = text
        .lines()
        .map(|line| line.split("change: ").nth(1).unwrap())
        .collect();
    assert_eq!(states, ["Opened(10s) }", "HalfOpened }", "Closed }"]);
}

#[tokio::test(start_paused = true)]
async fn the_callers_faults_and_back_pressure_do_not_open_it() {
    let statuses = [401, 402, 404, 409, 422, 429, 400];
    let (transport, seen) = stack(&statuses, BreakerLayer::per_class());
    for _ in statuses {
        transport.call(safe(Class::Rest)).await.unwrap();
    }
    assert_eq!(seen.count(), statuses.len());
}

#[tokio::test(start_paused = true)]
async fn only_what_left_speaks_against_the_server() {
    for (kind, stage, asked) in [
        (Kind::Connect, Stage::NotSent, 2),
        (Kind::Timeout, Stage::MaybeReceived, 2),
        (Kind::Timeout, Stage::NotSent, 5),
        (Kind::Credential, Stage::NotSent, 5),
        (Kind::Layer, Stage::MaybeReceived, 5),
    ] {
        let seen = Seen::new();
        let log = seen.clone();
        let leaf = leaf(move |request| {
            log.note(request);
            async move { Err(TransportError::new(kind, stage, "it broke")) }
        });
        let transport = leaf.layer(touchy(BreakerLayer::per_class()));
        for _ in 0..5 {
            transport.call(safe(Class::Rest)).await.unwrap_err();
        }
        assert_eq!(seen.count(), asked, "{kind:?} {stage:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn per_origin_another_server_is_not_concerned() {
    let (transport, _) = stack(&[503; 4], BreakerLayer::per_origin());
    for class in [Class::Train, Class::Rest] {
        transport.call(safe(class)).await.unwrap();
    }
    let error = transport.call(safe(Class::Sample)).await.unwrap_err();
    assert!(error.to_string().contains("for the server"), "{error}");
    let elsewhere = || {
        let mut request = safe(Class::Rest);
        *request.uri_mut() = "https://me:hunter2@files.test/a".parse().unwrap();
        transport.call(request)
    };
    elsewhere().await.unwrap();
    elsewhere().await.unwrap();
    let error = elsewhere().await.unwrap_err().to_string();
    assert!(error.contains("for https://files.test is open"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn under_retry_a_call_ends_when_the_breaker_opens_unless_its_policy_waits() {
    /// Waits as long as the breaker demands.
    #[derive(Debug)]
    struct Patient;
    impl Policy for Patient {
        fn verdict(&self, _: &Effort, disposition: &Disposition) -> Verdict {
            let wait = disposition.retry_after.unwrap_or(Duration::from_secs(1));
            if disposition.outcome == Outcome::Success {
                Verdict::Stop
            } else {
                Verdict::Again(wait)
            }
        }
    }
    let (transport, seen) = stack(&[503, 503], BreakerLayer::per_class());
    let transport = transport.layer(RetryLayer::new());
    let error = transport.call(safe(Class::Train)).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (Kind::Unavailable, 3));
    assert_eq!(seen.seconds(), [0.0, 1.0], "the third try was refused");

    let call = Call::new("x", Class::Train).with_replay(Replay::Safe);
    let response = transport
        .call(request(call.with_policy(Patient)))
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(seen.seconds(), [0.0, 1.0, 11.0]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_probe_makes_room_for_another() {
    let slow = leaf(|_| async {
        tokio::time::sleep(Duration::from_mins(1)).await;
        Ok(answer(503))
    });
    let transport = slow.layer(BreakerLayer::per_class().with_window(1).with_minimum(1));
    transport.call(safe(Class::Rest)).await.unwrap();
    tokio::time::advance(Duration::from_secs(10)).await;
    let probe = tokio::spawn(transport.call(safe(Class::Rest)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let error = transport.call(safe(Class::Rest)).await.unwrap_err();
    assert!(error.to_string().contains("in flight"), "{error}");
    probe.abort();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        transport.call(safe(Class::Rest)).await.unwrap().status(),
        503
    );
}
