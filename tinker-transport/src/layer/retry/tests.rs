use std::sync::Mutex;

use http::{HeaderValue, Response};

use super::*;
use crate::error::{Kind, Stage, TransportError};
use crate::fixture::{Seen, answer, chunks, leaf, request, scripted};
use crate::flow::class::Class;
use crate::policy::{Never, Standard};
use crate::request::replay::Replay;
use crate::stack::transport::Transport;

fn safe(class: Class) -> Request<Body> {
    request(Call::new("x", class).with_replay(Replay::Safe))
}

/// Times of all tries in seconds if the leaf responds with `statuses`, then 200.
async fn tries(statuses: &[u16], request: Request<Body>) -> (Vec<f64>, Response<Body>) {
    let (leaf, seen) = scripted(statuses);
    let response = leaf.layer(RetryLayer::new()).call(request).await.unwrap();
    (seen.seconds(), response)
}

#[tokio::test(start_paused = true)]
async fn the_schedule_is_that_of_the_official_client() {
    let (seconds, response) = tries(&[503; 100], safe(Class::Train)).await;
    let expected: Vec<f64> = [
        0, 1, 3, 7, 15, 31, 61, 91, 121, 151, 181, 211, 241, 271, 300,
    ]
    .map(f64::from)
    .to_vec();
    assert_eq!(
        seconds, expected,
        "and the last wait is cut to the mark of 300 s"
    );
    assert_eq!(
        response.status(),
        503,
        "the last answer reaches the caller as data"
    );
    let effort = response.extensions().get::<Effort>().unwrap();
    assert_eq!(
        (effort.attempts, effort.elapsed),
        (15, Duration::from_mins(5))
    );
}

#[tokio::test(start_paused = true)]
async fn every_transient_status_is_repeated_and_no_user_error_is() {
    for status in [408, 409, 429, 500, 502, 503, 504] {
        let (seconds, response) = tries(&[status], safe(Class::Rest)).await;
        assert_eq!(
            (seconds, response.status().as_u16()),
            (vec![0.0, 1.0], 200),
            "{status}"
        );
    }
    for status in [401, 402, 403, 404, 410, 413, 422] {
        let (seconds, response) = tries(&[status], safe(Class::Rest)).await;
        assert_eq!(
            (seconds, response.status().as_u16()),
            (vec![0.0], status),
            "{status}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_400_with_content_is_final_and_an_empty_one_is_a_lost_connection() {
    let seen = Seen::new();
    let log = seen.clone();
    let leaf = leaf(move |request| {
        log.note(request);
        let mut response = answer(400);
        *response.body_mut() = Body::from(r#"{"detail":"no"}"#);
        async move { Ok(response) }
    });
    leaf.layer(RetryLayer::new())
        .call(safe(Class::Rest))
        .await
        .unwrap();
    assert_eq!(seen.count(), 1);

    let (seconds, _) = tries(&[400, 400], safe(Class::Rest)).await;
    assert_eq!(seconds, [0.0, 1.0, 3.0]);
}

#[tokio::test(start_paused = true)]
async fn empty_400s_have_a_budget_of_16() {
    let (leaf, seen) = scripted(&[400; 100]);
    let quick =
        Standard::new().with_backoff(crate::policy::Backoff::new(Duration::ZERO, Duration::ZERO));
    let transport = leaf.layer(RetryLayer::with_policies(PerClass::from_fn(|_| {
        Arc::new(quick) as _
    })));
    assert_eq!(
        transport.call(safe(Class::Rest)).await.unwrap().status(),
        400
    );
    assert_eq!(seen.count(), 17, "the first, and 16 repeats");
    transport.call(safe(Class::Rest)).await.unwrap();
    assert_eq!(seen.count(), 18, "nothing left");
    transport.call(safe(Class::Train)).await.unwrap();
    assert_eq!(seen.count(), 18 + 17, "another class has its own");
}

#[tokio::test(start_paused = true)]
async fn successes_refill_the_budget_of_empty_400s() {
    let statuses = [&[400; 17][..], &[200; 3], &[400; 9]].concat();
    let (leaf, seen) = scripted(&statuses);
    let quick =
        Standard::new().with_backoff(crate::policy::Backoff::new(Duration::ZERO, Duration::ZERO));
    let transport = leaf.layer(RetryLayer::with_policies(PerClass::from_fn(|_| {
        Arc::new(quick) as _
    })));
    for expected in [400, 200, 200, 200, 400] {
        let response = transport.call(safe(Class::Rest)).await.unwrap();
        assert_eq!(response.status(), expected);
    }
    assert_eq!(
        seen.count(),
        17 + 3 + 4,
        "the first, and one for each success"
    );
}

#[tokio::test(start_paused = true)]
async fn the_servers_hint_replaces_the_backoff() {
    let seen = Seen::new();
    let log = seen.clone();
    let leaf = leaf(move |request| {
        let first_two = log.count() < 2;
        log.note(request);
        let mut response = answer(if first_two { 503 } else { 200 });
        response
            .headers_mut()
            .insert("retry-after", HeaderValue::from_static("7"));
        async move { Ok(response) }
    });
    leaf.layer(RetryLayer::new())
        .call(safe(Class::Train))
        .await
        .unwrap();
    assert_eq!(seen.seconds(), [0.0, 7.0, 14.0]);
}

#[tokio::test(start_paused = true)]
async fn the_key_of_a_call_stays_the_same_and_get_has_none() {
    let (leaf, seen) = scripted(&[503, 503]);
    let transport = leaf.layer(RetryLayer::new());
    transport.call(safe(Class::Rest)).await.unwrap();
    transport.call(safe(Class::Rest)).await.unwrap();
    let requests = seen.take();
    let keys: Vec<_> = requests
        .iter()
        .map(|request| &request.headers()[IDEMPOTENCY_KEY])
        .collect();
    assert_eq!(keys[0], keys[2]);
    assert_ne!(keys[0], keys[3]);
    let numbers: Vec<_> = requests
        .iter()
        .map(|request| Call::of(request).attempt)
        .collect();
    assert_eq!(numbers, [1, 2, 3, 1]);
    assert!(
        requests
            .iter()
            .all(|request| request.body().as_bytes().unwrap() == "body")
    );

    transport
        .call(Request::get("/x").body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert!(!seen.take()[0].headers().contains_key(IDEMPOTENCY_KEY));
}

/// A leaf that always fails at `stage`.
fn failing(stage: Stage) -> (Transport, Seen) {
    let seen = Seen::new();
    let log = seen.clone();
    let leaf = leaf(move |request| {
        log.note(request);
        async move {
            Err(TransportError::new(
                Kind::Interrupted,
                stage,
                "the connection broke",
            ))
        }
    });
    (leaf.layer(RetryLayer::new()), seen)
}

#[tokio::test(start_paused = true)]
async fn an_unsafe_request_is_repeated_only_if_it_never_left() {
    let unsafe_request = || request(Call::new("create", Class::Rest));
    let (transport, seen) = failing(Stage::MaybeReceived);
    transport.call(unsafe_request()).await.unwrap_err();
    assert_eq!(seen.count(), 1);

    let (transport, seen) = failing(Stage::NotSent);
    transport.call(unsafe_request()).await.unwrap_err();
    assert_eq!(seen.count(), 15);

    let (seconds, _) = tries(&[503], unsafe_request()).await;
    assert_eq!(seconds, [0.0], "a 503 may come from half-done work");
    let (seconds, _) = tries(&[429], unsafe_request()).await;
    assert_eq!(seconds, [0.0, 1.0], "a 429 does not");
}

#[tokio::test(start_paused = true)]
async fn an_error_tells_how_much_was_tried() {
    let (transport, _) = failing(Stage::MaybeReceived);
    let error = transport.call(safe(Class::Train)).await.unwrap_err();
    assert_eq!(
        (error.attempts(), error.elapsed()),
        (15, Duration::from_mins(5))
    );
    assert_eq!(
        error.to_string(),
        "the connection broke (x, 15 attempts in 300.0 s)"
    );
}

#[tokio::test(start_paused = true)]
async fn classes_and_calls_choose_the_policy() {
    for class in [Class::Retrieve, Class::Telemetry] {
        let (seconds, _) = tries(&[503], safe(class)).await;
        assert_eq!(seconds, [0.0], "{class}");
    }
    let call = |policy| {
        request(
            Call::new("x", Class::Rest)
                .with_replay(Replay::Safe)
                .with_policy(policy),
        )
    };
    let (seconds, _) = tries(&[503; 9], call(Standard::new().with_attempt_limit(3))).await;
    assert_eq!(seconds, [0.0, 1.0, 3.0]);
    let never = request(
        Call::new("heartbeat", Class::Session)
            .with_replay(Replay::Safe)
            .with_policy(Never),
    );
    assert_eq!(tries(&[503], never).await.0, [0.0]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_not_slept_through() {
    let deadline = Instant::now() + Duration::from_secs(5);
    let call = Call::new("x", Class::Rest)
        .with_replay(Replay::Safe)
        .with_deadline(deadline);
    let (seconds, response) = tries(&[503; 9], request(call)).await;
    assert_eq!(seconds, [0.0, 1.0, 3.0], "the next try would be at 7 s");
    assert_eq!(response.status(), 503);
    assert_eq!(Instant::now() + Duration::from_secs(2), deadline);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_sent_once() {
    let mut streaming = safe(Class::Rest);
    *streaming.body_mut() = chunks(&["a", "b"]);
    let (seconds, response) = tries(&[503], streaming).await;
    assert_eq!(seconds, [0.0]);
    assert!(response.extensions().get::<Effort>().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_retries_is_spread_out_and_nobody_is_refused() {
    let seen = Seen::new();
    let log = seen.clone();
    let leaf = leaf(move |request| {
        let is_first = Call::of(&request).attempt == 1;
        log.note(request);
        async move { Ok(answer(if is_first { 503 } else { 200 })) }
    });
    let transport = leaf.layer(RetryLayer::new());
    let calls: Vec<_> = (0..1000)
        .map(|_| tokio::spawn(transport.call(safe(Class::Sample))))
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    let seconds = seen.seconds();
    let second_tries = &seconds[1000..];
    let at_once = second_tries.iter().filter(|at| **at <= 1.0).count();
    assert!(
        (200..=400).contains(&at_once),
        "{at_once} retries in the same instant"
    );
    assert!(*second_tries.last().unwrap() < 60.0);
}

/// The reports of a call that is not answered: seconds since its start, counted attempts, seconds left.
async fn reports(
    transport: impl FnOnce(RetryLayer) -> Transport,
    request: Request<Body>,
) -> Vec<(f64, u32, Option<f64>)> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let observers = Observers::new();
    let log = Arc::clone(&seen);
    observers.attach(Arc::new(move |event: &Event<'_>| {
        if let Event::Unanswered {
            elapsed,
            attempts,
            remaining,
            ..
        } = event
        {
            let left = remaining.map(|left| left.as_secs_f64());
            let report = (elapsed.as_secs_f64(), *attempts, left);
            log.lock().unwrap().push(report);
        }
    }));
    let call = transport(RetryLayer::new().with_observers(observers)).call(request);
    let _ = tokio::time::timeout(Duration::from_mins(1), call).await;
    let seen = seen.lock().unwrap();
    seen.clone()
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_is_reported_with_the_time_left() {
    let silent = |retry: RetryLayer| leaf(|_| std::future::pending()).layer(retry);
    // One attempt of a minute, then others until 300 s, the last of which has a minute again.
    let repeated = reports(silent, safe(Class::Rest)).await;
    let expected = [
        (2.5, 0, Some(357.5)),
        (12.5, 0, Some(347.5)),
        (42.5, 0, Some(317.5)),
    ];
    assert_eq!(repeated, expected);
    let once = request(Call::new("x", Class::Rest).with_policy(Never));
    let once = reports(silent, once).await;
    assert_eq!(once[0], (2.5, 0, Some(57.5)));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_keeps_failing_is_reported_between_its_attempts() {
    let failing = |retry: RetryLayer| leaf(|_| async { Ok(answer(500)) }).layer(retry);
    let reports = reports(failing, safe(Class::Rest)).await;
    let attempts: Vec<u32> = reports.iter().map(|(_, attempts, _)| *attempts).collect();
    assert_eq!(attempts, [2, 4, 6]);
}
