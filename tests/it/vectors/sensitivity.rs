//! Sensitivity of the comparison: modified recordings must fail.

use std::error::Error;
use std::sync::Arc;

use serde_json::{Value, json};

use super::suite::judge;
use super::vector::{self, Vector};
use super::verdict::{
    Aspect::{self, Body, Head, Keys, Log, Order, Outcome, Pace, Requests, Types},
    Verdict,
};

/// The verdict on a recording after a change to it.
fn judge_changed(name: &str, change: impl Fn(&mut Value)) -> Result<Verdict, Box<dyn Error>> {
    let mut recording: Value = serde_json::from_str(&vector::text_of(name)?)?;
    change(&mut recording);
    let vector: Vector = serde_json::from_value(recording)?;
    Ok(judge(&Arc::new(vector)))
}

#[test]
fn a_tampered_recording_fails_for_the_right_reason() -> Result<(), Box<dyn Error>> {
    let cases: [(&str, &str, Value, Aspect); 22] = [
        (
            "telemetry/user_error_fatal",
            "/exchanges/0/request/body/json/events/1/event_data/status_code",
            json!(405),
            Body,
        ),
        (
            "futures/session_poller",
            "/exchanges/3/request/body/json/prev_cursor",
            json!(6),
            Body,
        ),
        (
            "futures/session_poller",
            "/exchanges/0/request/headers/x-sdk-method",
            json!("SamplingClient.other"),
            Head,
        ),
        (
            "training/save_weights",
            "/sdk_result/playground",
            json!("https://tinker.thinkingmachines.ai/playground"),
            Outcome,
        ),
        (
            "auth/stored_credentials",
            "/credentials_file/keys/42/key",
            json!("tml-another-key"),
            Head,
        ),
        (
            "training/custom_callable",
            "/sdk_result/ForwardBackwardOutput/metrics/my_metric",
            json!(4.0),
            Outcome,
        ),
        (
            "training/custom_failure_poisons",
            "/later_error/message",
            json!("user code failed"),
            Outcome,
        ),
        (
            "rest/copy_weights",
            "/sdk_result",
            json!("tinker://copy-2/weights/s1"),
            Outcome,
        ),
        (
            "rest/copy_weights",
            "/exchanges/0/request/body/json/ttl_seconds",
            json!(3601),
            Body,
        ),
        (
            "transport/redirect_302",
            "/sdk_result/AuditLogResponse/entries",
            json!([{"event": "another"}]),
            Outcome,
        ),
        (
            "rest/export_session_trace_failed",
            "/sdk_error/message",
            json!("Trace export failed for session sess-1: another reason"),
            Outcome,
        ),
        (
            "sampling/basic",
            "/sdk_result/SampleResponse/sequences/0/tokens/0",
            json!(7),
            Outcome,
        ),
        (
            "sampling/basic",
            "/exchanges/0/request/headers/accept",
            json!("text/plain"),
            Head,
        ),
        (
            "sampling/basic",
            "/exchanges/0/request/headers/x-tinker-sampling-backpressure",
            json!("2"),
            Head,
        ),
        (
            "sampling/basic",
            "/exchanges/0/request/body/json/seq_id",
            json!(3),
            Requests,
        ),
        (
            "session/create_sampling_session",
            "/exchanges/0/request/body/json/session_id",
            json!("another"),
            Body,
        ),
        (
            "training/loss_cross_entropy",
            "/sdk_result/ForwardBackwardOutput/metrics/loss:sum",
            json!(2.0),
            Outcome,
        ),
        ("futures/backoff_429", "/exchanges/3/t_s", json!(9.0), Pace),
        (
            "futures/failed_user",
            "/sdk_error/category",
            json!("server"),
            Outcome,
        ),
        (
            "transport/status_404",
            "/sdk_error/body/detail",
            json!("something else"),
            Outcome,
        ),
        (
            "session/create_session_messages",
            "/logged/0/1",
            json!("something else"),
            Log,
        ),
        (
            "rest/list_sessions",
            "/exchanges/0/response/body/json/sessions",
            json!([1]),
            Types,
        ),
    ];
    for (name, place, value, aspect) in cases {
        let change = |recording: &mut Value| match recording.pointer_mut(place) {
            Some(old) => *old = value.clone(),
            None => panic!("{name} has no {place}"),
        };
        expect(name, &judge_changed(name, change)?, aspect);
    }
    Ok(())
}

#[test]
fn order_and_keys_are_compared() -> Result<(), Box<dyn Error>> {
    let verdict = judge_changed("session/startup_minimal", |recording| {
        if let Some(exchanges) = recording["exchanges"].as_array_mut() {
            exchanges.swap(1, 2);
            exchanges.swap(0, 1);
        }
    })?;
    expect("session/startup_minimal", &verdict, Order);

    let verdict = judge_changed("futures/backoff_429", |recording| {
        let first = recording["exchanges"][1]["request"]["headers"].clone();
        recording["exchanges"][2]["request"]["headers"]["x-idempotency-key"] =
            first["x-idempotency-key"].clone();
    })?;
    expect("futures/backoff_429", &verdict, Keys);

    let verdict = judge_changed("futures/cancel_disabled", |recording| {
        recording["exchanges"] = json!([]);
    })?;
    assert!(matches!(verdict, Verdict::Failed(_)), "{verdict:?}");
    Ok(())
}

fn expect(name: &str, verdict: &Verdict, aspect: Aspect) {
    let Verdict::Failed(reasons) = verdict else {
        panic!("{name} is {verdict:?}, although {aspect:?} was tampered with");
    };
    let prefix = format!("{aspect:?}: ");
    assert!(
        reasons.iter().any(|reason| reason.starts_with(&prefix)),
        "{name} does not fail in {aspect:?}: {reasons:?}"
    );
}
