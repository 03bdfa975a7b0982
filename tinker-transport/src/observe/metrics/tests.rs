use std::sync::Arc;

use super::*;
use crate::fixture::{request, scripted};
use crate::flow::class::Class;
use crate::layer::{GateLayer, ObserveLayer, RetryLayer};
use crate::observe::observer::Observers;
use crate::request::call::Call;
use crate::request::replay::Replay;
use crate::{Gate, Transport};

/// A stack over a leaf that responds with `statuses`, and its metrics.
fn counted(statuses: &[u16]) -> (Transport, Metrics) {
    let (metrics, observers) = (Metrics::new(), Observers::new());
    observers.attach(Arc::new(metrics.clone()));
    let transport = scripted(statuses)
        .0
        .layer(ObserveLayer::attempts(observers.clone()))
        .layer(GateLayer::new(Gate::new()).with_observers(observers.clone()))
        .layer(RetryLayer::new().with_observers(observers.clone()))
        .layer(ObserveLayer::calls(observers.clone()));
    (transport, metrics)
}

#[tokio::test(start_paused = true)]
async fn calls_attempts_retries_and_waits_are_counted_per_operation() {
    let (transport, metrics) = counted(&[503, 404, 429, 200]);
    let call = |operation, class| request(Call::new(operation, class).with_replay(Replay::Safe));
    transport.call(call("list", Class::Rest)).await.unwrap();
    transport.call(call("sample", Class::Sample)).await.unwrap();
    drop(transport.call(call("never polled", Class::Rest)));
    metrics.record_work("sample", "accepted", None);
    metrics.record_work("sample", "done", Some(Duration::from_secs(7)));

    let snapshot = metrics.snapshot();
    let (list, sample) = (&snapshot.operations["list"], &snapshot.operations["sample"]);
    assert_eq!((list.calls(), list.attempts, list.retries), (1, 2, 1));
    assert_eq!(list.answered, [0, 0, 0, 0, 1, 0]);
    assert_eq!(list.latency.max, Duration::from_secs(1));
    assert_eq!((sample.calls(), sample.attempts, sample.retries), (1, 2, 0));
    assert_eq!(sample.held, Duration::from_secs(1));
    assert_eq!(snapshot.throttled, 1);
    assert_eq!(sample.work["done"], 1);
    assert_eq!(sample.work_latency.max, Duration::from_secs(7));
    assert_eq!(snapshot.operations.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn prometheus_text() {
    let (transport, metrics) = counted(&[503]);
    let call = Call::new("a \"name\"", Class::Rest).with_replay(Replay::Safe);
    transport.call(request(call)).await.unwrap();
    let text = metrics.snapshot().prometheus().to_string();
    for line in [
        "# TYPE tinker_calls_total counter",
        r#"tinker_calls_total{operation="a \"name\"",end="2xx"} 1"#,
        r#"tinker_attempts_total{operation="a \"name\""} 2"#,
        r#"tinker_retries_total{operation="a \"name\""} 1"#,
        "# TYPE tinker_call_seconds summary",
        r#"tinker_call_seconds{operation="a \"name\"",quantile="0.5"} 1"#,
        r#"tinker_call_seconds_count{operation="a \"name\""} 1"#,
        r#"tinker_work_seconds{operation="a \"name\"",quantile="0.99"} NaN"#,
        "tinker_gate_throttled_total 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    // Every line is a comment, or a name with optional labels and a number.
    for line in text.lines().filter(|line| !line.starts_with("# ")) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(
            name.starts_with("tinker_") && value.parse::<f64>().is_ok(),
            "{line}"
        );
    }
}
