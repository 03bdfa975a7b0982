use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;
use tinker_transport::layer::{AdaptiveLayer, BreakerLayer, HedgeLayer};
use tinker_transport::policy::Never;
use tinker_transport::{Kind, layer};
use tinker_types::{ModelInput, SamplingParams};

use super::*;
use crate::fixture::{FakeServer, Reply};

fn prompt() -> ModelInput {
    ModelInput::from_tokens([1])
}

#[tokio::test(start_paused = true)]
async fn a_finished_transport_is_used_as_it_is() {
    let server = FakeServer::new();
    server.then(
        "asample",
        vec![Reply::status(429, json!({"detail": "busy"}))],
    );
    let client = ServiceClient::builder()
        .transport(server.transport())
        .build()
        .unwrap();
    let sampler = client.create_sampling_client("base").await.unwrap();
    let error = sampler
        .sample(prompt(), SamplingParams::default())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("429"),
        "no retry, no gate: {error}"
    );
    assert_eq!(server.seen_at("asample")[0].header("user-agent"), None);
}

#[tokio::test(start_paused = true)]
async fn a_finished_transport_of_the_configuration_keeps_key_and_policies() {
    let server = FakeServer::new();
    server.always("asample", 500, json!({}));
    let config = Config::new("http://fake")
        .with_api_key("k-1")
        .with_telemetry(false);
    let stack = config.to_transport().unwrap();
    let transport = TransportBuilder::from_config(stack).leaf(server.transport());
    let builder = ServiceClient::builder()
        .config(config)
        .transport(transport.build().unwrap());
    let sampling = builder
        .build()
        .unwrap()
        .create_sampling_client("base")
        .await
        .unwrap();
    let error = sampling
        .sample([1], SamplingParams::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Status(_)), "{error}");
    let seen = server.seen_at("asample");
    assert_eq!((seen.len(), seen[0].header("x-api-key")), (1, Some("k-1")));
}

#[tokio::test(start_paused = true)]
async fn one_policy_holds_for_all_classes() {
    let server = FakeServer::new();
    server.always("create_session", 503, json!({}));
    let builder = server.builder();
    let builder = builder.configure_transport(|stack| stack.with_policy_for_all(Never));
    let service = builder.build().unwrap();
    service.create_sampling_client("base").await.unwrap_err();
    assert_eq!(server.seen_at("create_session").len(), 1);
}

#[test]
fn a_finished_transport_excludes_layers() {
    let pass = layer::from_fn(|request, next| async move { next.run(request).await });
    let builder = FakeServer::new()
        .builder()
        .transport(FakeServer::new().transport());
    assert!(matches!(builder.build().unwrap_err(), Error::Config(_)));
    let builder = ServiceClient::builder().transport(FakeServer::new().transport());
    assert!(matches!(
        builder.call_layer(pass).build().unwrap_err(),
        Error::Config(_)
    ));
    let config = || Config::new("http://fake");
    for (config, name) in [
        (
            config().with_breaker(BreakerLayer::per_class()),
            "Config::breaker",
        ),
        (
            config().with_adaptive(AdaptiveLayer::new()),
            "Config::adaptive",
        ),
        (
            config().with_hedge(HedgeLayer::after_share(0.95)),
            "Config::hedge",
        ),
    ] {
        let builder = ServiceClient::builder().transport(FakeServer::new().transport());
        let error = builder.config(config).build().unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn layers_see_calls_and_tries() {
    let server = FakeServer::new();
    server.then("create_session", vec![Reply::status(503, json!({}))]);
    let counts: [Arc<AtomicU32>; 2] = Default::default();
    let [calls, tries] = counts.clone().map(|count| {
        layer::from_fn(
            move |request: http::Request<tinker_transport::Body>, next| {
                if request.uri().path().ends_with("create_session") {
                    count.fetch_add(1, Ordering::Relaxed);
                }
                async move { next.run(request).await }
            },
        )
    });
    let client = server
        .builder()
        .call_layer(calls)
        .attempt_layer(tries)
        .build()
        .unwrap();
    client.create_sampling_client("base").await.unwrap();
    assert_eq!(counts.map(|count| count.load(Ordering::Relaxed)), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_stack_can_be_changed() {
    let server = FakeServer::new();
    let stack = |stack: TransportConfig| stack.with_policy(Class::Sample, Standard::new());
    let client = server.builder().configure_transport(stack).build().unwrap();
    let sampler = client.create_sampling_client("base").await.unwrap();
    server.then("asample", vec![Reply::status(500, json!({}))]);
    sampler
        .sample(prompt(), SamplingParams::default())
        .await
        .unwrap();
    assert_eq!(server.seconds("asample"), [0.0, 1.0]);
}

#[tokio::test(start_paused = true)]
async fn a_handle_has_its_own_policy() {
    let server = FakeServer::new();
    let client = server.builder().build().unwrap();
    let sampler = client.create_sampling_client("base").await.unwrap();
    let patient = sampler.clone().with_policy(Standard::new());
    server.then("asample", vec![Reply::status(503, json!({}))]);
    let sample =
        |sampler: &crate::SamplingClient| sampler.sample(prompt(), SamplingParams::default());
    let error = sample(&sampler).await.unwrap_err();
    assert!(error.to_string().contains("503"), "{error}");
    assert_eq!(server.seconds("asample"), [0.0]);

    let busy = || Reply::status(503, json!({}));
    server.then("asample", vec![busy(), busy()]);
    sample(&patient).await.unwrap();
    assert_eq!(server.seconds("asample"), [0.0, 0.0, 1.0, 3.0]);
}

#[test]
fn what_cannot_work_is_refused_before_it_is_used() {
    let refuse = |config: Config| ServiceClient::new(config).unwrap_err();
    let error = refuse(Config::default());
    assert!(
        error.is_user_error() && error.to_string().contains("TINKER_API_KEY"),
        "{error}"
    );
    let error = refuse(Config::new("localhost:8000"));
    let cause = error.to_string();
    assert!(cause.contains("https://"), "{cause}");
    assert!(ServiceClient::new(Config::new("http://localhost:8000")).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_server_may_insist_on_a_credential_command() {
    let server = FakeServer::new();
    let flags = json!({"pjwt_auth_enabled": true, "credential_default_source": "credential_cmd"});
    server.always("client/config", 200, flags);
    let config = Config::new("http://fake").with_api_key("tml-1");
    let client = server.builder().config(config).build().unwrap();
    let error = client.server_capabilities().await.unwrap_err();
    assert!(
        error.to_string().contains("TINKER_CREDENTIAL_CMD"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_409_is_retried_for_half_a_minute_and_not_for_five() {
    let server = FakeServer::new();
    let training = server.training().await;
    let busy = || Reply::status(409, json!({"detail": "the model is busy"}));
    let step = || training.optim_step(crate::AdamParams::new(0.1));
    server.then("optim_step", vec![busy(), busy()]);
    step().await.unwrap();

    server.on("optim_step", move |_| Some(busy()));
    let began = tokio::time::Instant::now();
    let error = step().await.unwrap_err();
    // Tries after 0, 1, 3, 7, 15 and 31 s.
    assert_eq!(began.elapsed(), Duration::from_secs(31));
    assert!(error.to_string().contains("the model is busy"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_servers_limit_of_a_billing_pause_holds() {
    for (limit, raised_after) in [(3, 5), (60, 65)] {
        let server = FakeServer::new();
        server.on("client/config", move |_| {
            let config = json!({"billing_exception_max_pause_duration_sec": limit});
            Some(Reply::json(config))
        });
        let training = server.training().await;
        server.always("optim_step", 402, json!({"detail": "billing"}));
        let began = tokio::time::Instant::now();
        let step = training.optim_step(crate::AdamParams::new(0.1));
        let error = step.await.unwrap_err();
        assert!(error.to_string().contains("billing"), "{error}");
        assert_eq!(began.elapsed(), Duration::from_secs(raised_after));
    }
}

#[tokio::test(start_paused = true)]
async fn the_servers_limits_hold() {
    let server = FakeServer::new();
    server.always(
        "client/config",
        200,
        json!({"sample_dispatch_bytes_semaphore_size": 10}),
    );
    let client = server.service();
    let sampler = client.create_sampling_client("base").await.unwrap();
    server.on("asample", |seen| {
        let id = format!("sample-{}", seen.json()["seq_id"]);
        Some(Reply::json(json!({"request_id": id})).after(std::time::Duration::from_secs(1)))
    });
    let samples = (0..3).map(|_| sampler.sample(prompt(), SamplingParams::default()));
    futures_util::future::try_join_all(samples.collect::<Vec<_>>())
        .await
        .unwrap();
    assert_eq!(server.seconds("asample"), [0.0, 1.0, 2.0]);
}

#[test]
fn clients_and_what_they_return_can_go_anywhere() {
    fn check<T: Send + Sync + Unpin + 'static>() {}
    check::<ServiceClient>();
    check::<crate::TrainingClient>();
    check::<crate::SamplingClient>();
    check::<crate::Pending<crate::SamplingClient>>();
    check::<Error>();
}

#[tokio::test(start_paused = true)]
async fn a_circuit_breaker_of_the_configuration_refuses_requests() {
    let server = FakeServer::new();
    server.always("healthz", 500, json!({}));
    let breaker = BreakerLayer::per_class().with_window(4).with_minimum(2);
    let config = Config::new("http://fake").with_breaker(breaker);
    let service = server.builder().config(config).build().unwrap();
    for _ in 0..2 {
        assert!(matches!(
            service.check_health().await,
            Err(Error::Status(_))
        ));
    }
    let Err(Error::Transport(error)) = service.check_health().await else {
        panic!("the breaker did not open");
    };
    assert_eq!(error.kind(), Kind::Unavailable);
    assert_eq!(server.seen_at("healthz").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_adaptive_limit_of_the_configuration_bounds_concurrent_requests() {
    let server = FakeServer::new();
    let slow = || Reply::json(json!({"status": "ok"})).after(Duration::from_secs(5));
    server.on("healthz", move |_| Some(slow()));
    let adaptive = AdaptiveLayer::new().with_initial(1).with_range(1..=1);
    for (config, seconds) in [
        (Config::new("http://fake"), [0, 0]),
        (Config::new("http://fake").with_adaptive(adaptive), [0, 5]),
    ] {
        let service = server.builder().config(config).build().unwrap();
        let before = server.seen_at("healthz").len();
        let (first, second) = tokio::join!(service.check_health(), service.check_health());
        first.and(second).unwrap();
        let seen = &server.seen_at("healthz")[before..];
        let after = |n: usize| seen[n].at.saturating_sub(seen[0].at).as_secs();
        assert_eq!([after(0), after(1)], seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn hedging_of_the_configuration_repeats_a_slow_read() {
    let server = FakeServer::new();
    let list = || Reply::json(json!({"supported_models": []}));
    let replies = vec![list().after(Duration::from_secs(50)), list()];
    server.then("get_server_capabilities", replies);
    let hedge = HedgeLayer::after(Duration::from_secs(2));
    let config = Config::new("http://fake").with_hedge(hedge);
    let service = server.builder().config(config).build().unwrap();
    service.server_capabilities().await.unwrap();
    assert_eq!(server.seconds("get_server_capabilities"), [0.0, 2.0]);
}

#[tokio::test(start_paused = true)]
async fn a_dialect_sets_version_key_header_and_headers_of_models() {
    let server = FakeServer::new();
    let dialect = crate::Dialect::default()
        .with_sdk_version("0.30.4")
        .with_key_header(http::HeaderName::from_static("twinkle-authorization"))
        .with_varying_header(http::HeaderName::from_static("x-request-id"), "r-{request}")
        .with_varying_header(http::HeaderName::from_static("x-model"), "{model}");
    let config = Config::new("http://fake")
        .with_api_key("tml-1")
        .with_telemetry(false)
        .with_dialect(dialect);
    let service = ServiceClient::builder()
        .config(config)
        .leaf(server.transport())
        .build()
        .unwrap();
    let lora = crate::LoraConfig::new(4);
    for _ in 0..2 {
        let training = service.create_lora_training_client("base", lora.clone());
        let training = training.await.unwrap();
        let loss = crate::Loss::cross_entropy();
        training
            .forward(crate::fixture::data(1), loss)
            .await
            .unwrap();
        training.save_state("a").await.unwrap();
    }
    let seen = server.seen();
    let session = &server.seen_at("create_session")[0];
    assert_eq!(session.json()["sdk_version"], "0.30.4");
    assert_eq!(session.header("x-model"), None);
    let models: std::collections::BTreeSet<_> = seen
        .iter()
        .filter_map(|seen| seen.header("x-model"))
        .collect();
    assert_eq!(models.len(), 2, "one id for each model");
    for seen in &seen {
        assert_eq!(seen.header("twinkle-authorization"), Some("Bearer tml-1"));
        assert!(seen.header("x-api-key").is_none());
        let version = seen.header("x-sdk-version");
        assert!(version.is_none_or(|version| version == "0.30.4"));
        let is_about_a_model = [
            "create_model",
            "get_info",
            "forward_backward",
            "save_weights",
        ]
        .contains(&seen.path.as_str());
        assert!(
            !is_about_a_model || seen.header("x-model").is_some(),
            "{}",
            seen.path
        );
    }
    let requests: std::collections::BTreeSet<_> = seen
        .iter()
        .map(|seen| seen.header("x-request-id"))
        .collect();
    assert_eq!(requests.len(), seen.len(), "one id for each request");
    assert!(
        requests
            .iter()
            .all(|id| id.is_some_and(|id| id.starts_with("r-")))
    );
}

#[test]
fn a_dialect_that_cannot_be_sent_is_refused_by_name() {
    let dialect = crate::Dialect::default().with_sdk_version("0.1\n2");
    let error = crate::wire::manner::Manner::of(&Config::new("http://fake").with_dialect(dialect));
    assert!(error.unwrap_err().to_string().contains("sdk_version"));
}
