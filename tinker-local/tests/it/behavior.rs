//! Injected faults and other behaviors.

use std::time::Duration;

use http::Method;
use serde_json::json;
use tinker_local::{Behavior, InjectedFault, LocalEngine};
use tinker_types::QueueState;

use crate::support::{BASE, Client, builder, client, request, sample_body, save_body};

fn engine(behavior: Behavior) -> (LocalEngine, Client) {
    let engine = builder().behavior(behavior).build().unwrap();
    let client = Client::of(&engine);
    (engine, client)
}

#[tokio::test]
async fn refusals_come_as_often_as_asked_and_then_the_request_works() {
    let fault = InjectedFault::status("asample", 429)
        .with_times(2)
        .with_retry_after(Duration::from_secs(7));
    let (engine, client) = engine(Behavior::default().with_fault(fault));
    let session = client.session().await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    for _ in 0..2 {
        let refused = client.post("asample", sample_body(&sampler, 0, 4)).await;
        assert_eq!(
            (
                refused.status,
                refused.headers["retry-after"].to_str().unwrap()
            ),
            (429, "7")
        );
        assert!(refused.detail().contains("on purpose"));
    }
    client
        .sampled(
            &client
                .post("asample", sample_body(&sampler, 0, 4))
                .await
                .promise(),
        )
        .await;
    // An outage lasts until the fault is removed.
    engine.behave(|behavior| behavior.faults.push(InjectedFault::status("", 402)));
    assert_eq!(
        client
            .post("asample", sample_body(&sampler, 1, 4))
            .await
            .status,
        402
    );
    assert_eq!(client.get("healthz").await.status, 402);
    engine.behave(|behavior| behavior.faults.clear());
    assert_eq!(client.get("healthz").await.status, 200);
}

#[tokio::test]
async fn an_answer_gets_lost_and_the_work_is_done_once() {
    let (engine, client) = engine(Behavior::default());
    let (_, model) = client.model().await;
    let step = |fault: InjectedFault| {
        engine.behave(|behavior| behavior.faults = vec![fault.with_times(1)]);
        let body = crate::support::step_body(&model, 1).to_string();
        let request = http::Request::post("http://local/api/v1/optim_step").body(body.into());
        client.call(request.unwrap())
    };
    assert!(step(InjectedFault::dropped("optim_step")).await.is_err());
    let waiting = client.forward_backward(&model, 2).await;
    assert!(
        step(InjectedFault::answer_lost("optim_step"))
            .await
            .is_err()
    );
    client.output(&waiting).await;
    let repeated = client.step(&model, 1).await;
    assert!(client.done(&repeated).await["metrics"].is_object());
}

#[tokio::test]
async fn results_are_kept_back_with_a_reason_until_the_queue_moves() {
    let mut limits = tinker_local::Limits::default();
    limits.long_poll = Duration::from_millis(30);
    let engine = builder().limits(limits).build().unwrap();
    let client = Client::of(&engine);
    let (_, model) = client.model().await;
    engine.behave(|behavior| {
        let state = QueueState::PausedRateLimit;
        *behavior = behavior.clone().with_queue(state, "too many clients");
    });
    let promise = client.forward_backward(&model, 1).await;
    let body = json!({"request_id": promise});
    let waiting = client.post("retrieve_future", body.clone()).await.json();
    assert_eq!(
        (
            &waiting["type"],
            &waiting["queue_state"],
            &waiting["queue_state_reason"]
        ),
        (
            &json!("try_again"),
            &json!("paused_rate_limit"),
            &json!("too many clients")
        )
    );
    engine.behave(|behavior| behavior.queue = None);
    client.output(&promise).await;
}

#[tokio::test]
async fn a_change_frees_those_who_wait() {
    let (engine, client) = engine(Behavior::default());
    let (_, model) = client.model().await;
    engine.behave(|b| *b = b.clone().with_queue(QueueState::PausedCapacity, "x"));
    let promise = client.forward_backward(&model, 1).await;
    // Otherwise the poll is held for 30 seconds.
    let freed = tokio::time::timeout(Duration::from_secs(10), async {
        tokio::join!(client.output(&promise), async {
            tokio::time::sleep(Duration::from_millis(30)).await;
            engine.behave(|behavior| behavior.queue = None);
        })
    });
    freed.await.unwrap();
}

#[tokio::test]
async fn an_older_server_speaks_json_only() {
    let mut behavior = Behavior::default();
    behavior.json_only = true;
    let (_engine, client) = engine(behavior);
    for path in [
        "client/dynamic_config",
        "cancel_future",
        "retrieve_futures",
        "copy_weights",
    ] {
        assert_eq!(client.post(path, json!({})).await.status, 404, "{path}");
    }
    let (session, model) = client.model().await;
    let finish = format!("sessions/{session}/finish");
    assert_eq!(
        client
            .post(&finish, json!({"reason": {"type": "success"}}))
            .await
            .status,
        404
    );
    assert_eq!(client.pass(&request(&model, 1)).await.status, 415);
    let pass = serde_json::to_value(request(&model, 1)).unwrap();
    let promise = client.post("forward_backward", pass).await.promise();
    let output = client.fetch(&promise).await;
    assert_eq!(
        output.headers["content-type"], "application/json",
        "whatever was asked for"
    );
    assert!(output.json()["metrics"]["loss:sum"].is_f64());
    let promise = client.post("save_weights", save_body(&model, 2, "a")).await;
    client.done(&promise.promise()).await;
    let path = format!("tinker://{model}/weights/a");
    let load = json!({"session_id": session, "model_seq_id": 1, "path": path, "optimizer": true});
    let refused = client.post("load_weights", load).await;
    assert!(refused.status == 400 && refused.detail().contains("model_id: is missing"));
    let load = json!({"model_id": model, "seq_id": 3, "path": path, "optimizer": true, "weights_access_token": "tml-other"});
    let promise = client.post("load_weights", load).await.promise();
    client.done(&promise).await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    let submitted = client.post("asample", sample_body(&sampler, 0, 4)).await;
    assert!(submitted.json().get("sample_sequence_ids").is_none());
    assert_eq!(
        client.fetch(&submitted.promise()).await.json()["type"],
        "sample"
    );
}

#[tokio::test]
async fn configs_are_what_was_set() {
    let mut behavior = Behavior::default();
    behavior.client_config.custom_loss_server_side = true;
    behavior.client_config.sample_max_concurrent_requests = 3;
    behavior.dynamic_config.refresh_interval_sec = 10;
    let (engine, changed) = engine(behavior);
    let config = changed
        .post("client/config", json!({"sdk_version": "0"}))
        .await
        .json();
    assert_eq!(
        (
            &config["custom_loss_server_side"],
            &config["sample_max_concurrent_requests"]
        ),
        (&json!(true), &json!(3))
    );
    let dynamic = || changed.post("client/dynamic_config", json!({"sdk_version": "0"}));
    assert_eq!(dynamic().await.json()["refresh_interval_sec"], 10);
    engine.behave(|behavior| behavior.dynamic_config.sample_cancel_enabled = false);
    assert_eq!(dynamic().await.json()["sample_cancel_enabled"], false);
    let plain = client()
        .post("client/config", json!({"sdk_version": "0"}))
        .await
        .json();
    assert_eq!(
        (
            &plain["custom_loss_server_side"],
            &plain["sample_max_concurrent_requests"]
        ),
        (&json!(false), &json!(2048))
    );
}

#[tokio::test]
async fn answers_are_delayed_and_sessions_end_on_demand() {
    let (engine, client) = engine(Behavior::default());
    let session = client.session().await;
    engine.expire_session(&session.as_str().into());
    let beat = client
        .post("session_heartbeat", json!({"session_id": session}))
        .await;
    assert_eq!(beat.status, 410);
    engine.behave(|behavior| behavior.delay = Duration::from_mins(5));
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    client.send(Method::GET, "healthz", &[], "").await;
    assert!(start.elapsed() >= Duration::from_mins(5));
}
