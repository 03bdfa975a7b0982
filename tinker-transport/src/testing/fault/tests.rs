use std::sync::Mutex;
use std::time::Duration;

use http::{Request, StatusCode};
use tokio::time::Instant;

use super::plan::Plan;
use super::*;
use crate::body::Body;
use crate::error::{Kind, Stage};
use crate::fixture::request;
use crate::flow::class::Class;
use crate::request::call::Call;
use crate::service::Answer;
use crate::stack::transport::Transport;
use crate::testing::Script;

fn ask(operation: &'static str) -> Request<Body> {
    request(Call::new(operation, Class::Rest))
}

/// A call with this fault to a server with one response: result, time taken, requests that reached the server.
async fn call_with(fault: Fault) -> (Answer, Duration, usize) {
    let script = Script::new().answer(200, "abcdef");
    let transport = Transport::new(script.clone()).layer(FaultLayer::script([Some(fault)]));
    let began = Instant::now();
    let result = transport.call(ask("x")).await;
    let (took, asked) = (began.elapsed(), script.requests().len());
    if asked == 0 {
        // Uses up the response, which the script requires.
        let _ = transport.call(ask("x")).await;
    }
    (result, took, asked)
}

#[tokio::test(start_paused = true)]
async fn each_fault_goes_as_far_as_it_says() {
    let second = Duration::from_secs(1);
    let (result, _, asked) = call_with(Fault::Status(StatusCode::BAD_GATEWAY)).await;
    assert_eq!(
        (result.unwrap().status(), asked),
        (StatusCode::BAD_GATEWAY, 0)
    );

    let (result, took, asked) = call_with(Fault::Delay(second)).await;
    assert_eq!(
        (result.unwrap().status(), took, asked),
        (StatusCode::OK, second, 1)
    );

    for (fault, stage, expected) in [
        (Fault::ResetBefore, Stage::NotSent, 0),
        (Fault::ResetAfter, Stage::MaybeReceived, 0),
        (Fault::LoseAnswer, Stage::MaybeReceived, 1),
    ] {
        let (result, _, asked) = call_with(fault).await;
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.stage()), (Kind::Interrupted, stage));
        assert_eq!(asked, expected, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_are_slow_or_break_off() {
    let pause = Duration::from_secs(1);
    let (result, took, _) = call_with(Fault::SlowBody { piece: 2, pause }).await;
    assert_eq!(took, Duration::ZERO);
    let began = Instant::now();
    let body = result.unwrap().into_body().collect(100).await.unwrap();
    assert_eq!(
        (body.as_ref(), began.elapsed()),
        (&b"abcdef"[..], pause * 3)
    );

    let (result, ..) = call_with(Fault::CutBody).await;
    let error = result.unwrap().into_body().collect(100).await.unwrap_err();
    assert_eq!((error.kind(), error.stage()), (Kind::Body, Stage::Answered));
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_overtaken_by_the_next() {
    let script = Script::new().answer(200, "first").answer(200, "second");
    let layer = FaultLayer::script([Some(Fault::Overtaken)]);
    let transport = Transport::new(script).layer(layer);
    let order = Mutex::new(Vec::new());
    let ask = async |wait| {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let response = transport.call(ask("x")).await.unwrap();
        let body = response.into_body().collect(100).await.unwrap();
        order.lock().unwrap().push(body);
    };
    tokio::join!(ask(0), ask(100));
    assert_eq!(*order.lock().unwrap(), ["second", "first"]);
}

#[test]
fn chance_is_repeatable_and_keeps_the_shares() {
    let faults = |seed| {
        let mut plan = Plan::seeded(seed);
        plan.add(Fault::LoseAnswer, 0.1);
        plan.add(Fault::ResetBefore, 0.3);
        (0..10_000).map(|n| plan.fault(n)).collect::<Vec<_>>()
    };
    assert_eq!(faults(7), faults(7));
    assert_ne!(faults(7), faults(8));
    let count = |fault| faults(7).iter().filter(|found| **found == fault).count();
    assert!((800..1200).contains(&count(Some(Fault::LoseAnswer))));
    assert!((2700..3300).contains(&count(Some(Fault::ResetBefore))));
}

#[tokio::test(start_paused = true)]
async fn only_what_is_concerned_is_counted_and_all_is_told() {
    let layer = FaultLayer::script([None, Some(Fault::ResetAfter)])
        .only(|request| Call::of(request).operation == "sample");
    let script = Script::new()
        .answer(200, "")
        .answer(200, "")
        .answer(200, "");
    let transport = Transport::new(script).layer(layer.clone());
    for (operation, is_well) in [
        ("list", true),
        ("sample", true),
        ("list", true),
        ("sample", false),
    ] {
        assert_eq!(transport.call(ask(operation)).await.is_ok(), is_well);
    }
    let told = layer.injected();
    assert_eq!(
        (told[0].request, told[0].operation, told.len()),
        (1, "sample", 1)
    );
    assert_eq!(layer.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_episode_lasts() {
    let status = StatusCode::PAYMENT_REQUIRED;
    let lasts = Duration::from_secs(10);
    let layer = FaultLayer::script([None, Some(Fault::Episode { status, lasts })]);
    let script = Script::new().answer(200, "").answer(200, "");
    let transport = Transport::new(script).layer(layer.clone());
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(transport.call(ask("x")).await.unwrap().status().as_u16());
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    assert_eq!(seen, [200, 402, 402, 200]);
    assert_eq!(layer.injected().len(), 2);
}
