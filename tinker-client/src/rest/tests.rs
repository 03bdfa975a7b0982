use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tinker_types::{AuditScope, CheckpointPath, SearchSessions, SessionId};

use crate::fixture::{FakeServer, Reply, Seen, assert_small};
use crate::{AccessScope, CheckpointClient, CopyOptions, Error, ListOptions};

const WEIGHTS: &str = "tinker://s:train:0/weights/a";
const PUBLISH: &str = "training_runs/s:train:0/checkpoints/weights/a/publish";

fn path(text: &str) -> CheckpointPath {
    text.parse().unwrap()
}

fn checkpoints(server: &FakeServer) -> CheckpointClient {
    server.service().checkpoints()
}

fn run(number: u64) -> Value {
    json!({
        "training_run_id": format!("s:train:{number}"),
        "base_model": "base",
        "model_owner": "me",
        "is_lora": true,
        "last_request_time": "2026-11-24T00:00:00Z"
    })
}

fn number(seen: &Seen, name: &str) -> u64 {
    let pairs = url::form_urlencoded::parse(seen.query.as_bytes());
    let mut values = pairs.filter(|(key, _)| key == name);
    values.next().unwrap().1.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn lists_are_fetched_to_the_end_by_offset() {
    let server = FakeServer::new();
    server.on("training_runs", |seen| {
        let offset = number(seen, "offset");
        // The server cuts pages shorter than asked for.
        let page: Vec<Value> = (offset..5.min(offset + 2)).map(run).collect();
        let cursor = json!({"offset": offset, "limit": 2, "total_count": 5});
        Some(Reply::json(
            json!({"training_runs": page, "cursor": cursor}),
        ))
    });
    let client = server.service().runs();
    let client = client.with_access_scope(AccessScope::Accessible);
    let options = ListOptions::default().with_project_id("p 1");
    let runs = client.list(options.clone()).all().await.unwrap();
    let ids: Vec<String> = runs
        .iter()
        .map(|run| run.training_run_id.to_string())
        .collect();
    assert_eq!(
        ids,
        [
            "s:train:0",
            "s:train:1",
            "s:train:2",
            "s:train:3",
            "s:train:4"
        ]
    );
    let queries: Vec<String> = server
        .seen_at("training_runs")
        .into_iter()
        .map(|seen| seen.query)
        .collect();
    let expected = [0, 2, 4]
        .map(|offset| format!("limit=100&offset={offset}&access_scope=accessible&project_id=p+1"));
    assert_eq!(queries, expected);
    let refused = checkpoints(&server).page(options).await.unwrap_err();
    assert!(refused.to_string().starts_with("project_id"), "{refused}");
    // None of these calls opens a session.
    assert!(server.seen_at("create_session").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_search_follows_the_cursor() {
    let server = FakeServer::new();
    let summary = |id: &str| {
        json!({
            "session_id": id, "created_at": "2026-11-24T00:00:00Z", "owner": "me",
            "project_id": "p", "checkpoints_count": 0
        })
    };
    server.on("sessions/search", move |seen| {
        let cursor = json!({"last_created_at": "2026-11-24T00:00:00Z", "last_session_id": "a"});
        let next = seen.json()["cursor"].is_null();
        let (id, next) = if next {
            ("a", cursor)
        } else {
            ("b", Value::Null)
        };
        Some(Reply::json(
            json!({"sessions": [summary(id)], "next_cursor": next}),
        ))
    });
    let mut query = SearchSessions::default();
    query.display_name = Some("first".into());
    let sessions = server.service().sessions();
    let found = sessions.search(query).all().await.unwrap();
    let ids: Vec<&str> = found
        .iter()
        .map(|found| found.session_id.as_str())
        .collect();
    assert_eq!(ids, ["a", "b"]);
    for seen in server.seen_at("sessions/search") {
        assert_eq!(seen.json()["display_name"], "first");
    }
}

#[tokio::test(start_paused = true)]
async fn a_search_of_checkpoints_passes_the_cursor_back_unchanged() {
    let server = FakeServer::new();
    let checkpoint = |id: &str| {
        json!({
            "checkpoint_id": format!("weights/{id}"), "checkpoint_type": "training",
            "time": "2026-11-24T00:00:00Z", "tinker_path": format!("tinker://r/weights/{id}"),
            "base_model": "base"
        })
    };
    let cursor =
        json!({"last_created_at": "2026-11-24T00:00:00.123456Z", "last_checkpoint_uuid": "u-1"});
    let next = cursor.clone();
    server.on("checkpoints/search", move |seen| {
        let page = match &seen.json()["cursor"] {
            Value::Null => json!({"checkpoints": [checkpoint("b")], "next_cursor": next}),
            cursor => {
                assert_eq!(*cursor, next);
                json!({"checkpoints": [checkpoint("a")]})
            }
        };
        Some(Reply::json(page))
    });
    let mut query = tinker_types::SearchCheckpoints::default();
    query.base_models = Some(Vec::new());
    let found = checkpoints(&server).search(query).all().await.unwrap();
    let names: Vec<&str> = found.iter().map(|found| found.tinker_path.name()).collect();
    assert_eq!(names, ["b", "a"]);
    assert_eq!(found[0].base_model.as_deref(), Some("base"));
    let sent = server.seen_at("checkpoints/search")[0].json();
    let expected =
        json!({"user_metadata": {}, "owner": {"type": "own"}, "base_models": [], "limit": 50});
    assert_eq!(sent, expected);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_final_and_not_waited_out() {
    let server = FakeServer::new();
    server.always(PUBLISH, 409, json!({"detail": "already public"}));
    let checkpoints = checkpoints(&server);
    let refused = checkpoints.publish(&path(WEIGHTS)).await.unwrap_err();
    let Error::Status(error) = &refused else {
        panic!("{refused}");
    };
    assert_eq!((error.status().as_u16(), error.attempts()), (409, 1));
    assert!(checkpoints.unpublish(&path(WEIGHTS)).await.is_err());
    let methods: Vec<Method> = server
        .seen_at(PUBLISH)
        .into_iter()
        .map(|seen| seen.method)
        .collect();
    assert_eq!(methods, [Method::POST, Method::DELETE]);
    assert!(
        server
            .seen_at(PUBLISH)
            .iter()
            .all(|seen| seen.body.is_empty())
    );
}

#[tokio::test(start_paused = true)]
async fn a_conflict_behind_a_lost_answer_is_our_own_doing() {
    let server = FakeServer::new();
    let conflict = Reply::status(409, json!({"detail": "already public"}));
    server.then(PUBLISH, vec![Reply::lost(), conflict]);
    let checkpoints = checkpoints(&server);
    checkpoints.publish(&path(WEIGHTS)).await.unwrap();
    let gone = Reply::status(404, json!({"detail": "no such checkpoint"}));
    let place = "training_runs/s:train:0/checkpoints/weights/a";
    server.then(place, vec![Reply::status(503, json!({})), gone]);
    checkpoints.delete(&path(WEIGHTS)).await.unwrap();
    // Now it is really unknown.
    server.always(place, 404, json!({"detail": "no such checkpoint"}));
    assert!(checkpoints.delete(&path(WEIGHTS)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_is_set_and_taken_away() {
    let server = FakeServer::new();
    let place = "training_runs/s:train:0/checkpoints/weights/a/ttl";
    server.always(place, 200, Value::Null);
    let checkpoints = checkpoints(&server);
    let day = Duration::from_hours(24);
    let weights = path(WEIGHTS);
    checkpoints.set_ttl(&weights, Some(day)).await.unwrap();
    checkpoints.set_ttl(&weights, None).await.unwrap();
    let bodies: Vec<Value> = server.seen_at(place).iter().map(Seen::json).collect();
    assert_eq!(
        bodies,
        [json!({"ttl_seconds": 86400}), json!({"ttl_seconds": null})]
    );
}

#[tokio::test(start_paused = true)]
async fn the_token_of_a_copy_travels_as_a_header_only() {
    let server = FakeServer::new();
    let copy = json!({"tinker_path": "tinker://c:train:0/weights/a"});
    server.always("copy_weights", 200, copy);
    let checkpoints = checkpoints(&server);
    let options = CopyOptions::new(path(WEIGHTS)).with_access_token("hunter2");
    let refused = checkpoints.copy(options.clone()).await.unwrap_err();
    assert!(
        refused.to_string().starts_with("project_id: is missing"),
        "{refused}"
    );
    let options = options
        .with_project_id("p")
        .with_ttl(Duration::from_mins(1));
    assert!(!format!("{options:?}").contains("hunter2"));
    let copied = checkpoints.copy(options).await.unwrap();
    assert_eq!(copied, path("tinker://c:train:0/weights/a"));
    let seen = &server.seen_at("copy_weights")[0];
    assert_eq!(
        seen.header("x-tinker-weights-access-token"),
        Some("hunter2")
    );
    let body = json!({"destination_project_id": "p", "source_path": WEIGHTS, "ttl_seconds": 60});
    assert_eq!(seen.json(), body);
    assert_eq!(server.seen_at("copy_weights").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_trace_is_waited_for() {
    let server = FakeServer::new();
    let pending = || Reply::json(json!({"status": "pending"}));
    let ready = Reply::json(json!({"status": "ready", "url": "https://files.test/t"}));
    server.then("sessions/s/trace_export", vec![pending(), pending(), ready]);
    let (sessions, session) = (server.service().sessions(), SessionId::from("s"));
    let url = sessions.export_trace(&session).await.unwrap();
    assert_eq!(url, "https://files.test/t");
    assert_eq!(server.seconds("sessions/s/trace_export"), [0.0, 5.0, 10.0]);
    let failed = json!({"status": "failed", "error": "no disk"});
    server.always("sessions/s/trace_export", 200, failed);
    let failed = sessions.export_trace(&session).await.unwrap_err();
    assert_eq!(
        failed.to_string(),
        "the trace of session s could not be made: no disk"
    );
}

#[tokio::test(start_paused = true)]
async fn only_external_checkpoints_have_urls() {
    let server = FakeServer::new();
    let checkpoints = checkpoints(&server);
    let refused = checkpoints.file_urls(&path(WEIGHTS)).await.unwrap_err();
    assert!(refused.is_user_error() && server.seen().is_empty());
    let external = "training_runs/s:train:0/checkpoints/external_weights/a/external_weights_urls";
    let urls =
        json!({"urls": {"a.bin": "https://files.test/a"}, "expires": "2026-11-24T01:00:00Z"});
    server.always(external, 200, urls);
    let external = path("tinker://s:train:0/external_weights/a");
    let found = checkpoints.file_urls(&external).await.unwrap();
    assert_eq!(found.urls["a.bin"], "https://files.test/a");
}

#[tokio::test(start_paused = true)]
async fn an_admin_reads_the_log_and_the_bill() {
    let server = FakeServer::new();
    let entry = json!({"timestamp": "2026-11-24T00:00:00Z", "event": "checkpoint_deleted"});
    server.always("audit", 200, json!({"entries": [entry]}));
    server.always("billing/usage/events", 200, json!({"data": []}));
    let account = server.service().account();
    let day = jiff::civil::date(2026, 11, 24);
    let log = account.audit_log(AuditScope::Checkpoints, Some(day));
    let log = log.await.unwrap();
    assert_eq!(log[0].event, "checkpoint_deleted");
    assert_eq!(
        server.seen_at("audit")[0].query,
        "event_type=checkpoints&day=2026-11-24"
    );
    let (start, end) = ("2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z");
    let (start, end) = (start.parse().unwrap(), end.parse().unwrap());
    assert!(account.billing_usage(end, start).await.is_err());
    account.billing_usage(start, end).await.unwrap();
    assert_eq!(
        server.seen_at("billing/usage/events")[0].query,
        "starting_on=2026-11-23T00%3A00%3A00Z&ending_before=2026-11-24T00%3A00%3A00Z"
    );
}

#[tokio::test(start_paused = true)]
async fn files_for_use_elsewhere() {
    let server = FakeServer::new();
    let client = server.training().await;
    let options = crate::ExportOptions::new("a").with_age_recipient("age1x");
    let saved = client.save_weights_external(options).await.unwrap();
    assert_eq!(saved.path, path("tinker://s:train:0/external_weights/a"));
    let body = server.seen_at("save_weights_external")[0].json();
    assert_eq!(body["age_encryption_recipients"], json!(["age1x"]));
    let mut many = crate::ExportOptions::new("a");
    many.age_recipients = vec!["age1x".into(); 11];
    assert!(
        client
            .save_weights_external(many)
            .await
            .unwrap_err()
            .is_user_error()
    );
    assert!(
        client
            .save_weights_external("a/b")
            .await
            .unwrap_err()
            .is_user_error()
    );
    assert!(client.console_url().ends_with("/training_runs/s:train:0"));
}

#[tokio::test(start_paused = true)]
async fn futures_are_small() {
    let server = FakeServer::new();
    let checkpoints = checkpoints(&server);
    let weights = path(WEIGHTS);
    drop(assert_small(checkpoints.publish(&weights), 1024));
    drop(assert_small(checkpoints.copy(&weights), 1536));
    let service = server.service();
    drop(assert_small(service.check_health(), 1024));
}
