//! Tests of the examination of a server: our engine, and the same engine with planted faults.

#![expect(clippy::unwrap_used, reason = "a missing value fails the test")]

use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::Value;
use tinker_client::doctor::{CHECKS, Examination, Report, Status};
use tinker_client::transport::layer::from_fn;
use tinker_client::transport::{Body, TransportError};
use tinker_client::{Config, Dialect, ForwardOnly, ServiceClient, ServiceClientBuilder, Wire};
use tinker_local::LocalEngine;

fn builder() -> ServiceClientBuilder {
    let engine = LocalEngine::builtin().unwrap();
    ServiceClient::builder().leaf(engine.service())
}

async fn examine(builder: ServiceClientBuilder) -> Report {
    let service = builder.build().unwrap();
    Box::pin(Examination::default().run(&service, |_| {})).await
}

/// A server that speaks JSON, whose requests and responses pass `request` and `response`.
fn faulty(
    request: impl Fn(&str, &mut Value) -> Option<&'static str> + Send + Sync + 'static,
    response: impl Fn(&str, &mut Value) + Send + Sync + 'static,
) -> ServiceClientBuilder {
    let dialect = Dialect::default()
        .with_wire(Wire::Json)
        .with_forward_only(ForwardOnly::Url);
    let faults = Arc::new((request, response));
    builder()
        .config(Config::default().with_dialect(dialect))
        .attempt_layer(from_fn(move |sent: Request<Body>, next| {
            let faults = Arc::clone(&faults);
            async move {
                let (mut parts, body) = sent.into_parts();
                let path = parts.uri.path().to_owned();
                // Without the header, results come as JSON.
                parts.headers.remove(http::header::ACCEPT);
                let body = match edit(body, |value| {
                    if let Some(other) = faults.0(&path, value) {
                        parts.uri = other.parse().unwrap();
                    }
                })
                .await
                {
                    Ok(body) => body,
                    Err(error) => return Err(error),
                };
                parts.headers.remove(http::header::CONTENT_LENGTH);
                let answer = next.run(Request::from_parts(parts, body)).await?;
                let (mut head, body) = answer.into_parts();
                let body = edit(body, |value| faults.1(&path, value)).await?;
                head.headers.remove(http::header::CONTENT_LENGTH);
                Ok(Response::from_parts(head, body))
            }
        }))
}

/// Changes a body if it is JSON.
async fn edit(body: Body, change: impl FnOnce(&mut Value)) -> Result<Body, TransportError> {
    let bytes = body.collect(1 << 24).await?;
    match serde_json::from_slice(&bytes) {
        Ok(mut value) => {
            change(&mut value);
            Ok(Body::from(value.to_string()))
        }
        Err(_) => Ok(Body::from(bytes)),
    }
}

fn status(report: &Report, check: &str) -> Status {
    report.finding(check).unwrap().status
}

#[tokio::test]
async fn our_engine_has_nothing_to_be_said_against_it() {
    let report = examine(builder()).await;
    let names: Vec<&str> = report
        .findings
        .iter()
        .map(|finding| finding.check)
        .collect();
    assert_eq!(names, CHECKS);
    assert!(report.worst() < Status::Limited, "{report:#?}");
    assert_eq!(report.model.as_deref(), Some("tinker-local/tiny"));
    for check in ["forward only", "sampler and trainer", "load", "delete"] {
        assert_eq!(status(&report, check), Status::Passed, "{report:#?}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_json_is_as_good() {
    let report = examine(faulty(|_, _| None, |_, _| {})).await;
    assert!(report.worst() < Status::Limited, "{report:#?}");
    assert!(report.finding("wire").unwrap().found.contains("JSON"));
}

#[tokio::test]
async fn a_server_that_trains_on_evaluations_is_found() {
    let report = examine(faulty(
        |path, body| {
            if !path.ends_with("/forward") {
                return None;
            }
            let object = body.as_object_mut()?;
            let input = object.remove("forward_input")?;
            object.insert("forward_backward_input".to_owned(), input);
            Some("/api/v1/forward_backward")
        },
        |_, _| {},
    ))
    .await;
    let finding = report.finding("forward only").unwrap();
    assert_eq!(finding.status, Status::Failed, "{report:#?}");
    assert!(finding.advice.is_some());
}

#[tokio::test]
async fn shifted_prompt_log_probabilities_are_found() {
    let shift = |_: &str, body: &mut Value| {
        if let Some(Value::Array(values)) = body.get_mut("prompt_logprobs") {
            values.rotate_left(1);
        }
    };
    let report = examine(faulty(|_, _| None, shift)).await;
    let finding = report.finding("prompt log probabilities").unwrap();
    assert_eq!(finding.status, Status::Failed, "{report:#?}");
    assert_eq!(finding.found, "shifted by one place to the front");
    assert_eq!(status(&report, "sampler and trainer"), Status::Passed);
}

#[tokio::test]
async fn a_sampler_with_other_values_than_the_trainer_is_found() {
    let wrong = |_: &str, body: &mut Value| {
        if let Some(Value::Array(sequences)) = body.get_mut("sequences") {
            for sequence in sequences {
                let values = sequence["logprobs"].as_array_mut().into_iter().flatten();
                values.for_each(|value| *value = Value::from(-9.0));
            }
        }
    };
    let report = examine(faulty(|_, _| None, wrong)).await;
    assert_eq!(
        status(&report, "sampler and trainer"),
        Status::Failed,
        "{report:#?}"
    );
}

#[tokio::test]
async fn a_loss_of_another_scale_and_a_missing_one_are_told_apart() {
    let scaled = |_: &str, body: &mut Value| {
        if let Some(loss) = body.pointer_mut("/metrics/loss:sum") {
            *loss = Value::from(loss.as_f64().unwrap() / 8.0);
        }
    };
    let report = examine(faulty(|_, _| None, scaled)).await;
    assert_eq!(status(&report, "loss"), Status::Limited, "{report:#?}");
    let without = |_: &str, body: &mut Value| {
        if let Some(metrics) = body.get_mut("metrics") {
            *metrics = serde_json::json!({});
        }
    };
    let report = examine(faulty(|_, _| None, without)).await;
    assert!(status(&report, "loss") <= Status::Noted, "{report:#?}");
    assert_eq!(
        status(&report, "training step"),
        Status::Passed,
        "{report:#?}"
    );
}

/// A server on whose way every response passes `change`.
fn with_answers(
    change: impl Fn(&str, Response<Body>) -> Response<Body> + Send + Sync + 'static,
) -> ServiceClientBuilder {
    let change = Arc::new(change);
    builder().attempt_layer(from_fn(move |request: Request<Body>, next| {
        let change = Arc::clone(&change);
        async move {
            let path = request.uri().path().to_owned();
            Ok(change(&path, next.run(request).await?))
        }
    }))
}

#[tokio::test]
async fn a_wrong_clock_is_found() {
    let report = examine(with_answers(|_, mut response| {
        let date = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT");
        response.headers_mut().insert(http::header::DATE, date);
        response
    }))
    .await;
    let finding = report.finding("clock").unwrap();
    assert_eq!(finding.status, Status::Limited, "{report:#?}");
    assert!(finding.found.contains("s ahead"));
}

fn refusing(part: &'static str, status: u16, detail: &'static str) -> ServiceClientBuilder {
    with_answers(move |path, mut response| {
        if path.contains(part) {
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            let body = serde_json::json!({ "detail": detail });
            return response.map(|_| Body::from(body.to_string()));
        }
        response
    })
}

#[tokio::test]
async fn a_refused_key_ends_the_examination() {
    let report = examine(refusing("client/config", 401, "Invalid API key")).await;
    assert_eq!(status(&report, "key"), Status::Failed, "{report:#?}");
    assert_eq!(status(&report, "training step"), Status::Skipped);
    assert!(
        report
            .finding("sample")
            .unwrap()
            .found
            .contains("needs key")
    );
}

#[tokio::test]
async fn a_refused_version_names_the_setting() {
    let detail = "SDK version 0.38.0 is no longer supported";
    let report = examine(refusing("create_session", 400, detail)).await;
    let finding = report.finding("session").unwrap();
    assert_eq!(finding.status, Status::Failed, "{report:#?}");
    assert!(
        finding
            .advice
            .as_ref()
            .unwrap()
            .contains("TINKER_SDK_VERSION")
    );
}

#[tokio::test]
async fn ids_of_checkpoints_without_their_kind_are_known() {
    let report = examine(faulty(
        |_, _| None,
        |path, body| {
            let listed = body.get_mut("checkpoints").and_then(Value::as_array_mut);
            for found in listed.into_iter().flatten() {
                let id = found["checkpoint_id"].as_str().unwrap();
                let name = id.rsplit('/').next().unwrap().to_owned();
                assert!(
                    path.contains("/checkpoints") && name == "doctor",
                    "{path} {name}"
                );
                found["checkpoint_id"] = Value::from(name);
            }
        },
    ))
    .await;
    assert_eq!(status(&report, "list"), Status::Passed, "{report:#?}");
}

#[tokio::test]
async fn missing_features_are_limits_and_not_failures() {
    let report = examine(refusing("/ttl", 404, "Not Found")).await;
    assert_eq!(status(&report, "expiry"), Status::Limited, "{report:#?}");
    assert_eq!(report.worst(), Status::Limited);
}
