//! API keys, audit log and usage reports.

use std::time::Duration;

use serde_json::json;
use tinker_local::Behavior;
use tinker_types::{ApiKeyInfo, AuditLog, BillingUsage, CheckpointStorage, Usage};

use crate::support::{BASE, Client, builder, client, sample_body, save_body};

#[tokio::test]
async fn usage_is_counted_and_free() {
    let client = client();
    let (session, model) = client.model().await;
    client
        .output(&client.forward_backward(&model, 1).await)
        .await;
    client.probe(&model, 2).await;
    let promise = client.post("save_weights", save_body(&model, 3, "a")).await;
    client.done(&promise.promise()).await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    let mut body = sample_body(&sampler, 0, 6);
    body["num_samples"] = 2.into();
    client
        .sampled(&client.post("asample", body).await.promise())
        .await;

    let reply = client.get("billing/usage/events?starting_on=2020-01-01&ending_before=2100-01-01T00%3A00%3A00%2B00%3A00").await;
    let usage: BillingUsage = serde_json::from_slice(&reply.body).unwrap();
    let mut tokens = [0; 5];
    for event in &usage.data {
        assert_eq!(event.estimated_cost_usd, Some(0.0));
        assert_eq!(event.session_id.as_deref(), Some(session.as_str()));
        assert_eq!(event.base_model.as_deref(), Some(BASE));
        assert_eq!((event.bucket_end - event.bucket_start).as_secs(), 3600);
        let (at, count) = match event.event_info {
            Usage::Training { token_count } => (0, token_count),
            Usage::SamplingPrefill {
                cached,
                token_count,
            } => (1 + usize::from(cached), token_count),
            Usage::SamplingSample { token_count } => (3, token_count),
            Usage::Checkpoint { count } => (4, count),
            _ => unreachable!(),
        };
        tokens[at] += count;
    }
    // Two passes over 3 input tokens each; a prompt of 2; two sequences of 6.
    assert_eq!(tokens, [12, 2, 0, 12, 1]);
    assert!(usage.sessions.contains_key(&session));
    assert!(usage.cost_data_through.is_some());
    let before = client
        .get("billing/usage/events?starting_on=2020-01-01&ending_before=2020-01-02")
        .await;
    assert_eq!(before.json()["data"], json!([]));
    for bad in [
        "",
        "?starting_on=2020-01-02&ending_before=2020-01-01",
        "?starting_on=x&ending_before=2020-01-01",
    ] {
        assert_eq!(
            client
                .get(&format!("billing/usage/events{bad}"))
                .await
                .status,
            422,
            "{bad}"
        );
    }

    let storage = client.get("billing/usage/checkpoints/current").await;
    let storage: CheckpointStorage = serde_json::from_slice(&storage.body).unwrap();
    let entry = &storage.data[0];
    assert_eq!(
        (entry.checkpoint_count, entry.estimated_monthly_cost_usd),
        (1, Some(0.0))
    );
    let listed = client.get("checkpoints").await.json();
    assert_eq!(listed["checkpoints"][0]["size_bytes"], entry.size_bytes);
    let other = client
        .get("billing/usage/checkpoints/current?project_id=other")
        .await;
    assert_eq!(other.json()["data"], json!([]));
}

#[tokio::test]
async fn the_audit_log_tells_what_was_done_with_checkpoints() {
    let client = client();
    let (session, model) = client.model().await;
    let promise = client.post("save_weights", save_body(&model, 1, "a")).await;
    client.done(&promise.promise()).await;
    let path = format!("tinker://{model}/weights/a");
    client
        .sampler(&session, 0, json!({"model_path": path}))
        .await;
    let load = json!({"session_id": session, "model_seq_id": 1, "path": path, "optimizer": true});
    client
        .done(&client.post("load_weights", load).await.promise())
        .await;
    let place = format!("training_runs/{model}/checkpoints/weights/a");
    client.post(&format!("{place}/publish"), json!(null)).await;
    client.delete(&place).await;

    let reply = client.get("audit?event_type=checkpoints").await;
    let log: AuditLog = serde_json::from_slice(&reply.body).unwrap();
    let events: Vec<(&str, Option<&str>)> = log
        .entries
        .iter()
        .map(|entry| (entry.event.as_str(), entry.purpose.as_deref()))
        .collect();
    assert_eq!(
        events,
        [
            ("checkpoint_created", None),
            ("checkpoint_read", Some("sampling")),
            ("checkpoint_read", Some("training")),
            ("checkpoint_published", None),
            ("checkpoint_deleted", None),
        ]
    );
    assert!(
        log.entries
            .iter()
            .all(|entry| entry.tinker_path.as_deref() == Some(&path))
    );
    let count = |reply: crate::support::Reply| reply.json()["entries"].as_array().unwrap().len();
    assert_eq!(
        count(client.get("audit").await),
        8,
        "a session and two runs as well"
    );
    assert_eq!(count(client.get("audit?event_type=teams").await), 0);
    assert_eq!(
        count(client.get("audit?event_type=all&day=2020-01-01").await),
        0
    );
    assert_eq!(client.get("audit?day=yesterday").await.status, 422);
    assert_eq!(client.get("audit?event_type=x").await.status, 422);
}

#[tokio::test]
async fn every_key_is_the_same_key() {
    let client = client();
    let me = client.get("auth/apikey/me").await;
    let me: ApiKeyInfo = serde_json::from_slice(&me.body).unwrap();
    assert!(me.note.contains("any key") && me.details.user_details.email.ends_with(".invalid"));
    assert_eq!(client.delete("auth/apikey/me").await.status, 405);
}

#[tokio::test]
async fn tokens_are_demanded_exchanged_and_expire() {
    let mut behavior = Behavior::default();
    behavior.token_lifetime = Some(Duration::from_secs(2));
    let client = Client::of(&builder().behavior(behavior).build().unwrap());
    let config = client
        .post("client/config", json!({"sdk_version": "0"}))
        .await;
    assert_eq!(config.json()["pjwt_auth_enabled"], true);
    let get = |key: &str| {
        let key = key.to_owned();
        let client = client.clone();
        async move {
            let headers = [("x-api-key", key.as_str())];
            client
                .send(http::Method::GET, "get_server_capabilities", &headers, "")
                .await
        }
    };
    for bad in ["tml-key", "eyJ.eyJ.x"] {
        let refused = get(bad).await;
        assert_eq!(refused.status, 401);
        let marker = refused.headers["www-authenticate"].to_str().unwrap();
        assert!(marker.contains(r#"error="invalid_token""#), "{marker}");
    }
    let token = client.post("auth/token", json!({})).await.json();
    let token = token["jwt"].as_str().unwrap();
    assert!(token.starts_with("eyJ"));
    assert_eq!(get(token).await.status, 200);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let expired = get(token).await;
    assert!(expired.status == 401 && expired.detail().contains("has expired"));
    assert_eq!(client.get("healthz").await.status, 200);
}
