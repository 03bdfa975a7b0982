use std::time::Duration;

use serde_json::json;
use tinker_types::{FinishReason, LoraConfig};
use tokio::time::sleep;

use crate::WaitingFor;
use crate::error::Error;
use crate::fixture::{FakeServer, Reply, assert_small, data};
use crate::training::options::load::LoadOptions;
use crate::{AdamParams, Config, Loss};
use tokio::time::Instant;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test(start_paused = true)]
async fn start_up_is_in_order_and_nothing_is_sent_before_it_is_needed() {
    let server = FakeServer::new();
    let config = Config::new("http://fake")
        .with_api_key("k")
        .with_tag("t")
        .with_display_name("run")
        .with_project_id("p")
        .with_user_metadata("a", 1);
    let service = server.builder().config(config).build().unwrap();
    sleep(seconds(60)).await;
    assert!(server.seen().is_empty() && service.session_id().is_none());

    let client = service
        .create_lora_training_client("base", LoraConfig::new(8))
        .await
        .unwrap();
    let paths: Vec<_> = server.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(
        paths,
        [
            "client/config",
            "client/dynamic_config",
            "create_session",
            "create_model",
            "retrieve_future",
            "get_info"
        ]
    );
    assert_eq!(client.model_id().as_str(), "s:train:0");
    assert_eq!(service.session_id().unwrap().as_str(), "s");
    let session = &server.seen_at("create_session")[0];
    assert_eq!(
        session.json(),
        json!({"tags": ["t"], "user_metadata": {"a": 1}, "sdk_version": "0.38.0",
               "project_id": "p", "display_name": "run", "type": "create_session"})
    );
    assert_eq!(session.header("x-api-key"), Some("k"));
    let model = &server.seen_at("create_model")[0];
    assert_eq!(model.json()["lora_config"]["rank"], 8);
    assert_eq!(model.header("x-sdk-version"), Some("0.38.0"));
    assert_eq!(
        model.header("x-sdk-method"),
        Some("ServiceClient.create_lora_training_client")
    );
}

#[tokio::test(start_paused = true)]
async fn clients_that_start_together_share_one_session() {
    let server = FakeServer::new();
    let service = server.service();
    let first = service.create_lora_training_client("base", LoraConfig::new(4));
    let second = service.create_lora_training_client("base", LoraConfig::new(4));
    let sampler = service.create_sampling_client("base");
    assert_eq!(first.waiting().unwrap().reason, WaitingFor::Session);
    // Numbers are given in the order of calls, whichever arrives first.
    assert_eq!(second.await.unwrap().model_id().as_str(), "s:train:1");
    assert_eq!(first.await.unwrap().model_id().as_str(), "s:train:0");
    sampler.await.unwrap();
    for path in ["client/config", "create_session"] {
        assert_eq!(server.seen_at(path).len(), 1, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_server_without_flags_works() {
    let server = FakeServer::new();
    server
        .always("client/config", 404, json!({"detail": "Not Found"}))
        .always("client/dynamic_config", 404, json!({"detail": "Not Found"}));
    let client = server.training().await;
    client
        .forward_backward(data(1), Loss::cross_entropy())
        .await
        .unwrap();
    sleep(seconds(3600)).await;
    assert_eq!(
        server.seen_at("client/dynamic_config").len(),
        1,
        "nothing to refresh"
    );
}

#[tokio::test(start_paused = true)]
async fn a_scaling_is_refused_where_it_would_be_ignored() {
    let server = FakeServer::new();
    let lora = LoraConfig::new(4).with_alpha(8);
    let refused = server.service().create_lora_training_client("base", lora);
    let error = refused.await.unwrap_err().to_string();
    assert!(
        error.contains("lora_config.alpha: is an extension of the local server"),
        "{error}"
    );
    assert!(server.seen_at("create_model").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_is_told_and_tried_anew_by_the_next_call() {
    let server = FakeServer::new();
    server.then(
        "client/config",
        vec![Reply::status(403, json!({"detail": "no access"}))],
    );
    let service = server.service();
    let error = service.create_sampling_client("base").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "client/config: the server answered 403 Forbidden: no access; the key was refused; check TINKER_API_KEY"
    );
    assert!(error.is_user_error());
    assert!(service.create_sampling_client("base").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn close_tells_the_server_once_and_refuses_further_work() {
    let server = FakeServer::new();
    let service = server.service();
    service.close(FinishReason::Success).await.unwrap();
    assert!(server.seen().is_empty(), "there was no session");

    let service = server.service();
    let training = service
        .create_lora_training_client("base", LoraConfig::new(4))
        .await
        .unwrap();
    let under_way = training.optim_step(AdamParams::new(0.1));
    assert_small(
        service.close_with_detail(FinishReason::Errored, "why"),
        2048,
    )
    .await
    .unwrap();
    service.close(FinishReason::Success).await.unwrap();
    let finished = server.seen_at("sessions/s/finish");
    assert_eq!(finished.len(), 1);
    assert_eq!(
        finished[0].json(),
        json!({"reason": {"type": "errored"}, "detail": "why"})
    );

    drop(under_way);
    for error in [
        training.optim_step(AdamParams::new(0.1)).await.unwrap_err(),
        training
            .forward(data(1), Loss::cross_entropy())
            .await
            .unwrap_err(),
        service
            .create_sampling_client("base")
            .await
            .map(|_| ())
            .unwrap_err(),
    ] {
        assert!(matches!(error, Error::Closed(_)), "{error}");
    }
    sleep(seconds(60)).await;
    assert!(server.seen_at("session_heartbeat").is_empty());
}

#[tokio::test(start_paused = true)]
async fn close_does_not_hang_on_a_server_that_is_gone() {
    let server = FakeServer::new();
    server.on("sessions/s/finish", |_| Some(Reply::lost()));
    let service = server.service();
    service.create_sampling_client("base").await.unwrap();
    let began = Instant::now();
    let error = service.close(FinishReason::Success).await.unwrap_err();
    assert!(matches!(error, Error::Transport(_)), "{error}");
    assert_eq!(began.elapsed(), seconds(10));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_finish_sessions_is_no_error() {
    let server = FakeServer::new();
    server.always("sessions/s/finish", 404, json!({"detail": "Not Found"}));
    let service = server.service();
    service.create_sampling_client("base").await.unwrap();
    service.close(FinishReason::Success).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_server_is_told_of_the_end_once_and_until_it_knows() {
    let server = FakeServer::new();
    let mut replies = vec![
        Reply::status(410, json!({"detail": "the session has ended"})),
        Reply::status(422, json!({"detail": "not now"})),
        Reply::never(),
    ];
    server.on("sessions/s/finish", move |_| replies.pop());
    let service = server.service();
    service.create_sampling_client("base").await.unwrap();
    let close = || service.close(FinishReason::Success);
    let dropped = tokio::time::timeout(Duration::from_secs(1), close()).await;
    assert!(dropped.is_err());
    assert!(close().await.unwrap_err().to_string().contains("not now"));
    // The first try had arrived.
    close().await.unwrap();
    close().await.unwrap();
    assert_eq!(server.seen_at("sessions/s/finish").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn models_are_made_from_checkpoints() {
    let server = FakeServer::new();
    server.on("retrieve_future", |_| {
        Some(Reply::json(json!({"type": "load_weights"})))
    });
    let service = server.service();
    let path = "tinker://r/weights/a";
    let options = LoadOptions::new(path).with_access_token("tml-secret");
    let client = service
        .create_training_client_from_state_with_optimizer(options)
        .await
        .unwrap();
    assert_eq!(
        client.model_id().as_str(),
        "s:train:0",
        "formed by the client if the server sends none"
    );
    let body = server.seen_at("load_weights")[0].json();
    assert_eq!(
        body,
        json!({"session_id": "s", "model_seq_id": 0, "path": path, "optimizer": true,
               "weights_access_token": "tml-secret", "type": "load_weights"})
    );
    client.optim_step(AdamParams::new(0.1)).await.unwrap();
    assert_eq!(server.seen_at("optim_step")[0].json()["seq_id"], 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_here_is_not_sent() {
    let server = FakeServer::new();
    let service = server.service();
    let mut nothing = LoraConfig::new(4);
    (nothing.train_attn, nothing.train_mlp, nothing.train_unembed) = (false, false, false);
    for error in [
        service
            .create_lora_training_client("base", LoraConfig::new(0))
            .await
            .unwrap_err(),
        service
            .create_lora_training_client("", LoraConfig::new(1))
            .await
            .unwrap_err(),
        service
            .create_lora_training_client("base", nothing)
            .await
            .unwrap_err(),
        service
            .create_training_client_from_state("tinker://r/sampler_weights/a")
            .await
            .unwrap_err(),
        service
            .create_training_client_from_state("r/weights/a")
            .await
            .unwrap_err(),
    ] {
        assert!(matches!(error, Error::Invalid(_)), "{error}");
    }
    let error = service
        .create_sampling_client("tinker://r")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    assert!(server.seen().is_empty());
    let first = service
        .create_lora_training_client("base", LoraConfig::new(1))
        .await
        .unwrap();
    assert_eq!(
        first.model_id().as_str(),
        "s:train:0",
        "no number was used up"
    );
}

#[tokio::test(start_paused = true)]
async fn models_and_samplers_of_a_session_are_counted_whatever_makes_them() {
    let server = FakeServer::new();
    let service = server.service();
    let path = "tinker://r/weights/a";
    let loaded = service.create_training_client_from_state(path);
    let created = service.create_lora_training_client("base", LoraConfig::new(4));
    let again = service.create_training_client_from_state(path);
    assert_eq!(loaded.await.unwrap().model_id().as_str(), "s:train:0");
    let created = created.await.unwrap();
    assert_eq!(created.model_id().as_str(), "s:train:1");
    assert_eq!(again.await.unwrap().model_id().as_str(), "s:train:2");

    service.create_sampling_client("base").await.unwrap();
    let saved = created.save_weights_and_get_sampling_client();
    assert_eq!(saved.await.unwrap().sampler_id().as_str(), "s:sample:1");
    let last = service.create_sampling_client("base").await.unwrap();
    assert_eq!(last.sampler_id().as_str(), "s:sample:2");
}

#[tokio::test(start_paused = true)]
async fn creations_do_not_wait_out_a_billing_pause() {
    for path in ["create_session", "create_model", "create_sampling_session"] {
        let server = FakeServer::new();
        server.always(path, 402, json!({"detail": "billing"}));
        let service = server.service();
        let began = Instant::now();
        let model = service.create_lora_training_client("base", LoraConfig::new(4));
        let sampler = service.create_sampling_client("base");
        let error = model.await.map(drop).and(sampler.await.map(drop));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("402"), "{path}: {error}");
        assert_eq!(began.elapsed(), Duration::ZERO, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn capabilities_need_no_session() {
    let server = FakeServer::new();
    let service = server.service();
    let models = assert_small(service.server_capabilities(), 2048)
        .await
        .unwrap();
    assert_eq!(
        models.supported_models[0].model_name.as_deref(),
        Some("base")
    );
    assert_eq!(server.paths(), ["client/config", "get_server_capabilities"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_wants_tokens_gets_them() {
    let server = FakeServer::new();
    server
        .always("client/config", 200, json!({"pjwt_auth_enabled": true}))
        .always(
            "auth/token",
            200,
            json!({"jwt": "eyJ.eyJleHAiOjk5OTk5OTk5OTk5fQ.x"}),
        );
    let config = Config::new("http://fake").with_api_key("raw");
    let service = server.builder().config(config).build().unwrap();
    service.server_capabilities().await.unwrap();
    let keys: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| {
            (
                seen.path.clone(),
                seen.header("x-api-key").unwrap().to_owned(),
            )
        })
        .collect();
    let keys: Vec<_> = keys
        .iter()
        .map(|(path, key)| (path.as_str(), key.as_str()))
        .collect();
    assert_eq!(
        keys,
        [
            ("client/config", "raw"),
            ("auth/token", "raw"),
            ("client/dynamic_config", "eyJ.eyJleHAiOjk5OTk5OTk5OTk5fQ.x"),
            (
                "get_server_capabilities",
                "eyJ.eyJleHAiOjk5OTk5OTk5OTk5fQ.x"
            ),
        ]
    );
}

#[tokio::test]
async fn checks_of_an_absent_server_fail_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let config = Config::new(format!("http://{address}")).with_api_key("k");
    let service = crate::ServiceClient::new(config).unwrap();
    let started = Instant::now();
    for error in [service.check_health().await, service.check_access().await] {
        let Err(Error::Transport(error)) = error else {
            panic!("{error:?}");
        };
        assert!(error.is_connect() && error.attempts() == 1, "{error}");
    }
    assert!(started.elapsed() < seconds(3));
}
