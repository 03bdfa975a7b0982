use http::Request;
use serde_json::json;
use tinker_transport::{Body, Call, Class};
use tinker_types::{
    AdamParams, CheckpointPath, CopyWeights, Endpoint, GetServerCapabilities, LoraConfig,
    ModelInput, SamplingParams,
};

use crate::error::Error;
use crate::fixture::{FakeServer, Reply};
use crate::{Config, SampleOptions, SaveOptions, TrainingOptions};

fn copy() -> CopyWeights {
    let path: CheckpointPath = "tinker://s:train:0/weights/a".parse().unwrap();
    CopyWeights::new(&path, "p".to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_raw_call_has_the_settings_and_fields_of_its_caller() {
    let server = FakeServer::new();
    let copied = json!({"tinker_path": "tinker://c:train:0/weights/a"});
    server.always("copy_weights", 200, copied);
    let service = server.service();
    let call = Call::new(CopyWeights::NAME, Class::Rest).with_caller("My.method");
    let (plain, request) = (copy(), copy());
    service.call(&plain).await.unwrap();
    let extended = service.call(&request).with_call(call);
    let answer = extended.with_extra("region", "eu").await.unwrap();
    assert_eq!(answer.tinker_path.name(), "a");
    let seen = server.seen_at("copy_weights");
    assert_eq!(seen[0].json(), serde_json::to_value(&plain).unwrap());
    assert_eq!(seen[0].header("x-sdk-method"), None);
    let mut expected = seen[0].json();
    expected["region"] = json!("eu");
    assert_eq!(seen[1].json(), expected);
    assert_eq!(seen[1].header("x-sdk-method"), Some("My.method"));
    assert!(server.seen_at("create_session").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_raw_call_is_repeated_only_if_that_is_safe() {
    let server = FakeServer::new();
    let copied = json!({"tinker_path": "tinker://c:train:0/weights/a"});
    server.then("copy_weights", vec![Reply::lost(), Reply::json(copied)]);
    let list = Reply::json(json!({"supported_models": []}));
    server.then("get_server_capabilities", vec![Reply::lost(), list]);
    let service = server.service();
    let error = service.call(&copy()).await.unwrap_err();
    assert!(error.may_have_been_done() && server.seen_at("copy_weights").len() == 1);
    service.call(&GetServerCapabilities {}).await.unwrap();
    assert_eq!(server.seen_at("get_server_capabilities").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_body_has_no_extra_fields() {
    let server = FakeServer::new();
    let service = server.service();
    let request = GetServerCapabilities {};
    let error = service.call(&request).with_extra("a", 1).await.unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    assert!(server.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_raw_request_passes_the_whole_stack() {
    let server = FakeServer::new();
    server.then("later/thing", vec![Reply::status(503, json!({}))]);
    let config = Config::new("http://fake").with_api_key("k");
    let service = server.builder().config(config.with_telemetry(false));
    let service = service.build().unwrap();
    let request = Request::get("/api/v1/later/thing?a=1").body(Body::empty());
    let response = service.send(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), 404);
    let seen = server.seen_at("later/thing");
    assert_eq!(seen.len(), 2, "the 503 is retried");
    assert_eq!(seen[1].header("x-api-key"), Some("k"));
    assert_eq!(seen[1].query, "a=1");
}

#[tokio::test(start_paused = true)]
async fn options_carry_extra_fields_into_the_body() {
    let server = FakeServer::new();
    let service = server.service();
    let options = TrainingOptions::new(LoraConfig::new(4)).with_extra("flavor", "mild");
    let training = service.create_lora_training_client("base", options);
    let training = training.await.unwrap();
    let save = SaveOptions::new("a").with_extra("copies", 2);
    training.save_state(save).await.unwrap();
    training.optim_step(AdamParams::new(0.1)).await.unwrap();
    let sampling = service.create_sampling_client("base").await.unwrap();
    let options = SampleOptions::new(SamplingParams::default()).with_extra("draft", true);
    let prompt = || ModelInput::from_tokens([1]);
    sampling.sample(prompt(), options).await.unwrap();
    sampling
        .sample(prompt(), SamplingParams::default())
        .await
        .unwrap();
    let body = |path: &str, n: usize| server.seen_at(path)[n].json();
    assert_eq!(body("create_model", 0)["flavor"], "mild");
    assert_eq!(body("save_weights", 0)["copies"], 2);
    assert_eq!(body("asample", 0)["draft"], true);
    let (mut with, without) = (body("asample", 0), body("asample", 1));
    with.as_object_mut().unwrap().remove("draft");
    with["seq_id"] = without["seq_id"].clone();
    assert_eq!(with, without);
}

#[tokio::test(start_paused = true)]
async fn any_2xx_is_success_whatever_its_content_type() {
    let server = FakeServer::new();
    let text = |status, body: serde_json::Value| {
        move |_: &crate::fixture::Seen| Some(Reply::raw(status, "text/plain", body.to_string()))
    };
    server
        .on("create_session", text(201, json!({"session_id": "s"})))
        .on("create_model", text(202, json!({"request_id": "model-0"})))
        .on(
            "get_info",
            text(203, json!({"model_id": "m", "model_data": {}})),
        )
        .on("optim_step", text(202, json!({"request_id": "step-1"})))
        .on("retrieve_future", |seen| {
            let is_step = seen.json()["request_id"] == "step-1";
            is_step.then(|| Reply::raw(206, "text/html", "{\"metrics\": {\"a\": 1.0}}"))
        })
        .on("sessions/s/finish", |_| {
            Some(Reply::raw(299, "text/html", "fine"))
        });
    let service = server.service();
    let training = service.create_lora_training_client("base", LoraConfig::new(4));
    let step = training.await.unwrap().optim_step(AdamParams::new(0.1));
    assert_eq!(step.await.unwrap().metrics.unwrap().len(), 1);
    service
        .close(tinker_types::FinishReason::Success)
        .await
        .unwrap();
    let finished = server.seen_at("sessions/s/finish");
    let posts = finished.iter().filter(|seen| seen.method == "POST");
    assert_eq!(posts.count(), 1);

    server.on("get_server_capabilities", |_| {
        Some(Reply::raw(200, "text/html", "<html>"))
    });
    let error = server.service().server_capabilities().await.unwrap_err();
    assert!(matches!(error, Error::Decode(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn deprecations_are_logged_once_by_their_level() {
    let server = FakeServer::new();
    let list = || Reply::json(json!({"supported_models": []}));
    let noted = |text| list().with_header("x-deprecation-note", text);
    let replies = vec![
        noted("use another route"),
        noted("use another route"),
        noted("gone in May").with_header("x-deprecation-level", "error"),
        list(),
    ];
    server.then("get_server_capabilities", replies);
    let (lines, guard) = crate::fixture::traced();
    let service = server.service();
    for _ in 0..4 {
        service.server_capabilities().await.unwrap();
    }
    drop(guard);
    let text = lines.text();
    let of = |words: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains(words));
        lines
            .map(|line| line.split_whitespace().nth(1).unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        (of("use another route"), of("gone in May")),
        (vec!["WARN".to_owned()], vec!["ERROR".to_owned()]),
        "{text}"
    );
}
