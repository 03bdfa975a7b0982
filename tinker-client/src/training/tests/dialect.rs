//! Servers of other dialects.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tinker_types::proto;

use crate::fixture::{FakeServer, Reply, Seen, data};
use crate::{
    AdamParams, Config, Dialect, LoraConfig, Loss, ModelInput, SamplingParams, ServiceClient, Stop,
    TrainingClient, Wire,
};

fn is_protobuf(seen: &Seen) -> bool {
    seen.header("content-type") == Some(proto::CONTENT_TYPE)
}

pub(super) fn service(server: &FakeServer, dialect: Dialect) -> ServiceClient {
    let config = Config::new("http://fake")
        .with_telemetry(false)
        .with_dialect(dialect);
    ServiceClient::builder()
        .config(config)
        .leaf(server.transport())
        .build()
        .unwrap()
}

pub(super) async fn training(server: &FakeServer, dialect: Dialect) -> TrainingClient {
    service(server, dialect)
        .create_lora_training_client("base", LoraConfig::new(4))
        .await
        .unwrap()
}

pub(super) fn pass(client: &TrainingClient) -> crate::Pending<crate::ForwardBackwardOutput> {
    client.forward_backward(data(1), Loss::cross_entropy())
}

/// The forms of the passes so far, `p` and `j`.
fn forms(server: &FakeServer) -> String {
    let passes = server.seen();
    let passes = passes
        .iter()
        .filter(|seen| seen.path.starts_with("forward"));
    passes
        .map(|seen| if is_protobuf(seen) { 'p' } else { 'j' })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn json_is_tried_after_a_500_to_protobuf_and_remembered() {
    let server = FakeServer::new();
    server.on("forward_backward", |seen| {
        is_protobuf(seen).then(|| Reply::raw(500, "text/plain", "Internal Server Error"))
    });
    let client = training(&server, Dialect::default()).await;
    for _ in 0..2 {
        assert!(pass(&client).await.unwrap().logprobs(0).is_some());
    }
    client
        .forward(data(1), Loss::cross_entropy())
        .await
        .unwrap();
    assert_eq!(forms(&server), "pjpjj");
    let passes = server.seen_at("forward_backward");
    let first = proto::decode_request(passes[0].body.clone()).unwrap();
    assert_eq!(passes[1].json()["seq_id"], first.seq_id, "the same number");
    assert_eq!(server.seen_at("forward").len(), 1, "in JSON by URL");
    let waited = passes[1].at.checked_sub(passes[0].at).unwrap();
    assert!(waited < Duration::from_millis(100), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_passing_fault_in_the_first_pass_settles_no_form() {
    let server = FakeServer::new();
    server.then("forward_backward", vec![Reply::status(500, json!({}))]);
    let client = training(&server, Dialect::default()).await;
    for _ in 0..3 {
        pass(&client).await.unwrap();
    }
    assert_eq!(forms(&server), "pjpp");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_neither_form_is_tried_in_both_and_the_error_names_them() {
    let server = FakeServer::new();
    server.always("forward_backward", 500, json!({"detail": "out of memory"}));
    let client = training(&server, Dialect::default()).await;
    let error = pass(&client).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("out of memory") && text.contains("as protobuf and as JSON"),
        "{text}"
    );
    assert!(error.is_retryable());
    assert!(forms(&server).starts_with("pjp"), "{}", forms(&server));
}

#[tokio::test(start_paused = true)]
async fn a_500_after_an_accepted_form_is_retried_in_that_form() {
    let server = FakeServer::new();
    let client = training(&server, Dialect::default()).await;
    pass(&client).await.unwrap();
    server.then("forward_backward", vec![Reply::status(500, json!({}))]);
    pass(&client).await.unwrap();
    assert_eq!(forms(&server), "ppp");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_replaced_by_one_of_the_other_form_is_noticed() {
    let server = FakeServer::new();
    let is_new = Arc::new(AtomicBool::new(false));
    let new = Arc::clone(&is_new);
    server.on("forward_backward", move |seen| {
        let takes_protobuf = new.load(Ordering::Relaxed);
        (is_protobuf(seen) != takes_protobuf).then(|| Reply::status(415, json!({})))
    });
    let client = training(&server, Dialect::default()).await;
    pass(&client).await.unwrap();
    is_new.store(true, Ordering::Relaxed);
    pass(&client).await.unwrap();
    pass(&client).await.unwrap();
    assert_eq!(forms(&server), "pjjpp");
}

#[tokio::test(start_paused = true)]
async fn a_configured_form_is_the_only_one() {
    for (wire, form) in [(Wire::Json, "j"), (Wire::Protobuf, "p")] {
        let server = FakeServer::new();
        server.always("forward_backward", 415, json!({}));
        let client = training(&server, Dialect::default().with_wire(wire)).await;
        assert!(pass(&client).await.is_err());
        assert_eq!(forms(&server), form);
    }
}

#[tokio::test(start_paused = true)]
async fn the_loss_of_cross_entropy_is_computed_where_it_is_not_reported() {
    let server = FakeServer::new();
    server.on("retrieve_future", |seen| {
        let is_pass = seen.json()["request_id"] == "pass-1";
        is_pass.then(|| {
            let logprobs = json!({"data": [-0.25, -1.5], "dtype": "float32", "shape": [2]});
            Reply::json(json!({"loss_fn_outputs": [{"logprobs": logprobs}], "metrics": {}}))
        })
    });
    let client = training(&server, Dialect::default()).await;
    // The weights are 0 and 1.
    assert_eq!(pass(&client).await.unwrap().loss_sum(), Some(1.5));
}

#[tokio::test(start_paused = true)]
async fn an_address_of_two_parts_is_used_as_the_server_gave_it() {
    let server = FakeServer::new();
    server.on("retrieve_future", |seen| {
        let is_save = seen.json()["request_id"] == "named-s1";
        is_save.then(|| Reply::json(json!({"path": "tinker://run/s1", "type": null})))
    });
    let service = service(&server, Dialect::default());
    let client = service.create_lora_training_client("base", LoraConfig::new(4));
    let client = client.await.unwrap();
    let path = client.save_weights_for_sampler("s1").await.unwrap();
    assert_eq!(path.to_string(), "tinker://run/s1");
    for source in [path.to_string().into(), crate::SamplingSource::from(&path)] {
        service.create_sampling_client(source).await.unwrap();
    }
    for sampler in server.seen_at("create_sampling_session") {
        assert_eq!(sampler.json()["model_path"], "tinker://run/s1");
    }
}

#[tokio::test(start_paused = true)]
async fn addresses_are_sent_in_the_configured_scheme() {
    let server = FakeServer::new();
    let service = service(&server, Dialect::default().with_path_scheme("twinkle"));
    let path = "tinker://run/sampler_weights/a";
    service.create_sampling_client(path).await.unwrap();
    service
        .create_training_client_from_state("twinkle://run/weights/b")
        .await
        .unwrap();
    let sampler = &server.seen_at("create_sampling_session")[0];
    assert_eq!(
        sampler.json()["model_path"],
        "twinkle://run/sampler_weights/a"
    );
    assert_eq!(
        server.seen_at("load_weights")[0].json()["path"],
        "twinkle://run/weights/b"
    );

    // Every other call that takes an address, and answers that hold one.
    server.on("weights_info", |_| {
        let info = json!({"base_model": "base", "is_lora": true, "lora_rank": 4});
        Some(Reply::json(info))
    });
    let copied = json!({"tinker_path": "twinkle://copy/weights/a"});
    server.always("copy_weights", 200, copied);
    let checkpoints = service.checkpoints();
    let path = "tinker://run/weights/a".parse().unwrap();
    checkpoints.get(&path).await.unwrap();
    for token in [None, Some("t")] {
        let mut options = crate::CopyOptions::new(path.clone()).with_project_id("p");
        if let Some(token) = token {
            options = options.with_access_token(token);
        }
        let copy = checkpoints.copy(options).await.unwrap();
        assert_eq!(copy.to_string(), "twinkle://copy/weights/a");
    }
    for (asked, field) in [
        ("weights_info", "tinker_path"),
        ("copy_weights", "source_path"),
    ] {
        for seen in server.seen_at(asked) {
            assert_eq!(seen.json()[field], "twinkle://run/weights/a");
        }
    }
    let unknown = Dialect::default().with_path_scheme("other");
    let service = self::service(&server, unknown);
    let refused = service.create_sampling_client("base").await.unwrap_err();
    assert!(refused.to_string().contains("path_scheme"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_broken_server_ends_with_its_answer() {
    let server = FakeServer::new();
    let path = "training_runs/run/checkpoints/weights/a/publish";
    server.always(path, 500, json!({"detail": "no such table"}));
    let service = service(&server, Dialect::default());
    let began = tokio::time::Instant::now();
    let checkpoint = "tinker://run/weights/a".parse().unwrap();
    let error = service.checkpoints().unpublish(&checkpoint).await;
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("no such table") && text.contains("attempts"),
        "{text}"
    );
    assert!(
        began.elapsed() < Duration::from_mins(6),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn optional_fields_at_their_defaults_are_sent_in_the_official_form_only() {
    for is_official in [false, true] {
        let server = FakeServer::new();
        let service = service(&server, Dialect::default().with_official_form(is_official));
        let client = service.create_lora_training_client("base", LoraConfig::new(4));
        let client = client.await.unwrap();
        client.save_state("a").await.unwrap();
        let sampler = client.save_weights_and_get_sampling_client().await.unwrap();
        let params = SamplingParams::default().with_stop(Stop::Text("x".to_owned()));
        let sample = sampler.sample(ModelInput::from_tokens([1]), params);
        sample.await.unwrap();
        for (path, field) in [
            ("create_model", "optimizer_config"),
            ("save_weights", "overwrite"),
            ("save_weights_for_sampler", "kind"),
            ("asample", "record_stability_info"),
            ("asample", "prompt_logprobs"),
        ] {
            let sent = server.seen_at(path)[0].json();
            assert_eq!(sent.get(field).is_some(), is_official, "{path} {field}");
        }
        let stop = server.seen_at("asample")[0].json()["sampling_params"]["stop"].clone();
        assert_eq!(
            stop,
            if is_official {
                json!("x")
            } else {
                json!(["x"])
            }
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_text_is_sent_as_a_list_after_a_refusal_that_names_it() {
    let server = FakeServer::new();
    server.on("asample", |seen| {
        let error =
            json!({"detail": [{"loc": ["body", "sampling_params", "stop"], "msg": "a list"}]});
        let is_text = seen.json()["sampling_params"]["stop"].is_string();
        is_text.then(|| Reply::status(422, error))
    });
    let service = service(&server, Dialect::default().with_official_form(true));
    let sampler = service.create_sampling_client("base").await.unwrap();
    let params = SamplingParams::default().with_stop(Stop::Text("x".to_owned()));
    sampler
        .sample(ModelInput::from_tokens([1]), params)
        .await
        .unwrap();
    let samples = server.seen_at("asample");
    assert_eq!(samples.len(), 2);
    assert_eq!(samples[0].json()["seq_id"], samples[1].json()["seq_id"]);
}

#[tokio::test(start_paused = true)]
async fn a_taken_name_is_final_at_once() {
    let server = FakeServer::new();
    server.always(
        "save_weights",
        409,
        json!({"detail": "checkpoint a exists"}),
    );
    let client = training(&server, Dialect::default()).await;
    let error = client.save_state("a").await.unwrap_err();
    assert_eq!(server.seen_at("save_weights").len(), 1);
    assert!(error.is_user_error() && !error.is_retryable() && !error.may_have_been_done());
    let text = error.to_string();
    assert!(
        text.contains("checkpoint a exists") && text.contains("another name"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_route_is_named() {
    let server = FakeServer::new();
    server.always("save_weights", 404, json!({"detail": "Not Found"}));
    let client = training(&server, Dialect::default()).await;
    let error = client.save_state("a").await.unwrap_err().to_string();
    let words = "this server does not have the route POST /api/v1/save_weights";
    assert!(error.contains(words), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_number_is_named_while_the_server_waits_for_it() {
    let server = FakeServer::new();
    server.then(
        "save_weights",
        vec![Reply::status(422, json!({"detail": "no"}))],
    );
    server.on("retrieve_future", |seen| {
        (seen.json()["request_id"] == "step-2").then(Reply::try_again)
    });
    let client = training(&server, Dialect::default()).await;
    assert!(client.save_state("a").await.is_err());
    let step = client.optim_step(AdamParams::new(1e-3));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(step.waiting().unwrap().reason.explanation().is_none());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let waiting = step.waiting().unwrap().to_string();
    assert!(
        waiting.contains("waiting for request 1 of this model"),
        "{waiting}"
    );
}
