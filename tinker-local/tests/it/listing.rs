//! Lists of runs and sessions, before and after a restart.

use serde_json::{Value, json};
use tinker_types::{FoundCheckpoints, FoundSessions, SessionInfo, TrainingRun, TrainingRuns};

use crate::support::{BASE, Client, builder, client, save_body};

async fn open(client: &Client, body: Value) -> String {
    let mut whole = json!({"sdk_version": "0", "tags": [], "user_metadata": {}});
    whole
        .as_object_mut()
        .unwrap()
        .extend(body.as_object().unwrap().clone());
    let reply = client.post("create_session", whole).await;
    reply.json()["session_id"].as_str().unwrap().to_owned()
}

async fn train(client: &Client, session: &str, number: u64, notes: Value) -> String {
    let body = json!({
        "session_id": session, "model_seq_id": number, "base_model": BASE, "lora_config": {"rank": 4},
        "user_metadata": notes,
    });
    let promise = client.post("create_model", body).await.promise();
    client.done(&promise).await["model_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn save(client: &Client, model: &str, number: u64, name: &str) {
    let promise = client.post("save_weights", save_body(model, number, name));
    client.done(&promise.await.promise()).await;
}

async fn runs(client: &Client, query: &str) -> TrainingRuns {
    let reply = client.get(&format!("training_runs{query}")).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    serde_json::from_slice(&reply.body).unwrap()
}

async fn search(client: &Client, body: Value) -> FoundSessions {
    let reply = client.post("sessions/search", body).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    serde_json::from_slice(&reply.body).unwrap()
}

#[tokio::test]
async fn runs_are_listed_with_their_newest_checkpoints() {
    let client = client();
    let session = open(&client, json!({"project_id": "p"})).await;
    let first = train(&client, &session, 0, json!({"note": "x", "n": 3})).await;
    let other = open(&client, json!({})).await;
    let second = train(&client, &other, 0, json!(null)).await;
    save(&client, &first, 1, "a").await;
    save(&client, &first, 2, "b").await;
    let sampler = json!({"model_id": first, "path": "s", "kind": "snapshot", "seq_id": 3});
    let promise = client.post("save_weights_for_sampler", sampler).await;
    client.done(&promise.promise()).await;

    let all = runs(&client, "?limit=20&offset=0&access_scope=owned").await;
    let ids: Vec<&str> = all
        .training_runs
        .iter()
        .map(|run| run.training_run_id.as_str())
        .collect();
    assert_eq!(
        ids,
        [first.as_str(), second.as_str()],
        "the one used last first"
    );
    assert_eq!((all.cursor.limit, all.cursor.total_count), (20, 2));
    let run = &all.training_runs[0];
    assert_eq!(
        (
            run.base_model.as_str(),
            run.lora_rank,
            run.is_lora,
            run.corrupted
        ),
        (BASE, Some(4), true, false)
    );
    let notes = run.user_metadata.as_ref().unwrap();
    assert_eq!((notes["note"].as_str(), notes["n"].as_str()), ("x", "3"));
    let name = |checkpoint: &Option<tinker_types::Checkpoint>| {
        checkpoint.as_ref().map(|c| c.checkpoint_id.clone())
    };
    assert_eq!(name(&run.last_checkpoint), Some("weights/b".into()));
    assert_eq!(
        name(&run.last_sampler_checkpoint),
        Some("sampler_weights/s".into())
    );
    assert_eq!(all.training_runs[1].last_checkpoint, None);

    let of_project = runs(&client, "?project_id=p").await;
    assert_eq!(of_project.training_runs.len(), 1);
    assert_eq!(runs(&client, "?project_id=q").await.cursor.total_count, 0);
    let page = runs(&client, "?limit=1&offset=1").await;
    assert_eq!(page.training_runs[0].training_run_id.as_str(), second);
    assert_eq!(
        client.get("training_runs?access_scope=mine").await.status,
        422
    );

    let path = format!("training_runs/{first}?access_scope=owned");
    let one: TrainingRun = serde_json::from_slice(&client.get(&path).await.body).unwrap();
    assert_eq!(one, *run);
    let missing = client.get("training_runs/s-0:train:0").await;
    assert!(missing.status == 404 && missing.detail().contains("s-0:train:0"));
}

#[tokio::test]
async fn a_session_names_its_runs_and_samplers() {
    let client = client();
    let session = open(
        &client,
        json!({"display_name": "Big Run", "user_metadata": {"a": "b"}}),
    )
    .await;
    let run = train(&client, &session, 0, json!(null)).await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    let info = client
        .get(&format!("sessions/{session}?access_scope=owned"))
        .await;
    let info: SessionInfo = serde_json::from_slice(&info.body).unwrap();
    assert_eq!(info.training_run_ids, [run.as_str().into()]);
    assert_eq!(info.sampler_ids, [sampler.as_str().into()]);
    assert_eq!(info.display_name.as_deref(), Some("Big Run"));
    assert_eq!(info.user_metadata.unwrap()["a"], "b");
    let list = client
        .get("sessions?limit=20&offset=0&access_scope=owned")
        .await;
    assert_eq!(list.json()["sessions"], json!([session]));
    assert_eq!(client.get("sessions/s-0").await.status, 404);
    let refused = client
        .put("sessions/s-0/project", json!({"project_id": "p"}))
        .await;
    assert_eq!(refused.status, 404);
}

#[tokio::test]
async fn sessions_are_found_by_every_filter() {
    let client = client();
    let blue = open(
        &client,
        json!({"display_name": "Blue whale study", "project_id": "sea", "user_metadata": {"k": "v", "n": 1}}),
    )
    .await;
    let red = open(
        &client,
        json!({"display_name": "Red fox", "user_metadata": {"k": "v"}}),
    )
    .await;
    let plain = open(&client, json!({})).await;
    let finish = json!({"reason": {"type": "errored"}, "detail": "no luck"});
    client.post(&format!("sessions/{red}/finish"), finish).await;
    // The first reason stays.
    let late = json!({"reason": {"type": "success"}, "detail": null});
    let late = client.post(&format!("sessions/{red}/finish"), late).await;
    assert_eq!(late.status, 410);

    let cases = [
        (json!({}), vec![&plain, &red, &blue]),
        (json!({"session_id": red}), vec![&red]),
        (json!({"display_name": "STUDY blue"}), vec![&blue]),
        (json!({"display_name": "blue fox"}), vec![]),
        (
            json!({"session_id": plain, "display_name": "fox"}),
            vec![&plain, &red],
        ),
        (json!({"project_ids": ["sea", "x"]}), vec![&blue]),
        (json!({"project_ids": ["local"]}), vec![&plain, &red]),
        (json!({"user_metadata": {"k": "v"}}), vec![&red, &blue]),
        (json!({"user_metadata": {"k": "v", "n": "1"}}), vec![&blue]),
        (
            json!({"owner": {"type": "accessible"}, "display_name": "fox"}),
            vec![&red],
        ),
        (
            json!({"owner": {"type": "user", "owner_urns": ["x"]}}),
            vec![],
        ),
        (
            json!({"owner": {"type": "user", "owner_urns": ["tml:user:local"]}, "session_id": red}),
            vec![&red],
        ),
        (
            json!({"statuses": [{"type": "active"}]}),
            vec![&plain, &blue],
        ),
        (
            json!({"statuses": [{"type": "failed"}, {"type": "cancelled"}]}),
            vec![],
        ),
        (
            json!({"statuses": [{"type": "client_finished"}]}),
            vec![&red],
        ),
        (
            json!({"statuses": [{"type": "client_finished", "reasons": ["success"]}]}),
            vec![],
        ),
        (
            json!({"statuses": [{"type": "client_finished", "reasons": ["errored"]}]}),
            vec![&red],
        ),
    ];
    for (body, want) in cases {
        let found = search(&client, body.clone()).await;
        let ids: Vec<&str> = found
            .sessions
            .iter()
            .map(|s| s.session_id.as_str())
            .collect();
        assert_eq!(ids, want, "{body}");
        assert!(found.next_cursor.is_none(), "{body}");
    }

    let mut seen = Vec::new();
    let mut cursor = json!(null);
    loop {
        let page = search(&client, json!({"limit": 1, "cursor": cursor})).await;
        seen.extend(page.sessions.iter().map(|s| s.session_id.to_string()));
        let Some(next) = page.next_cursor else { break };
        cursor = serde_json::to_value(next).unwrap();
    }
    assert_eq!(seen, [&*plain, &*red, &*blue]);

    for bad in [
        json!({"limit": 0}),
        json!({"limit": 201}),
        json!({"display_name": ""}),
        json!({"statuses": []}),
        json!({"owner": {"type": "user", "owner_urns": []}}),
        json!({"statuses": [{"type": "lost"}]}),
    ] {
        assert_eq!(
            client.post("sessions/search", bad.clone()).await.status,
            422,
            "{bad}"
        );
    }
}

async fn search_checkpoints(client: &Client, body: Value) -> FoundCheckpoints {
    let reply = client.post("checkpoints/search", body).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    serde_json::from_slice(&reply.body).unwrap()
}

#[tokio::test]
async fn checkpoints_are_found_by_every_filter() {
    let client = client();
    let sea = open(&client, json!({"project_id": "sea"})).await;
    let blue = train(&client, &sea, 0, json!(null)).await;
    let mut best = save_body(&blue, 1, "best");
    best["user_metadata"] = json!({"score": "0.9", "kind": "x"});
    let promise = client.post("save_weights", best).await.promise();
    client.done(&promise).await;
    let plain = open(&client, json!({})).await;
    let red = train(&client, &plain, 0, json!(null)).await;
    save(&client, &red, 1, "last").await;
    let sampler = json!({"model_id": red, "path": "s", "kind": "snapshot", "seq_id": 2});
    let promise = client.post("save_weights_for_sampler", sampler).await;
    client.done(&promise.promise()).await;

    let cases = [
        (
            json!({}),
            vec!["sampler_weights/s", "weights/last", "weights/best"],
        ),
        (json!({"project_ids": ["sea", "x"]}), vec!["weights/best"]),
        (
            json!({"user_metadata": {"score": "0.9", "kind": "x"}}),
            vec!["weights/best"],
        ),
        (
            json!({"user_metadata": {"score": "0.9", "kind": "y"}}),
            vec![],
        ),
        (
            json!({"checkpoint_type": "sampler"}),
            vec!["sampler_weights/s"],
        ),
        (
            json!({"base_models": [BASE], "checkpoint_type": "training"}),
            vec!["weights/last", "weights/best"],
        ),
        (json!({"base_models": []}), vec![]),
        (
            json!({"owner": {"type": "user", "owner_urns": ["x"]}}),
            vec![],
        ),
    ];
    for (body, want) in cases {
        let found = search_checkpoints(&client, body.clone()).await;
        let ids: Vec<&str> = found
            .checkpoints
            .iter()
            .map(|c| c.checkpoint_id.as_str())
            .collect();
        assert_eq!(ids, want, "{body}");
        assert!(found.next_cursor.is_none(), "{body}");
    }

    let (mut seen, mut cursor) = (Vec::new(), json!(null));
    loop {
        let page = search_checkpoints(&client, json!({"limit": 1, "cursor": cursor})).await;
        seen.extend(page.checkpoints.into_iter().map(|c| c.checkpoint_id));
        let Some(next) = page.next_cursor else { break };
        cursor = serde_json::to_value(next).unwrap();
    }
    assert_eq!(seen, ["sampler_weights/s", "weights/last", "weights/best"]);
    for limit in [0, 201] {
        let refused = client
            .post("checkpoints/search", json!({"limit": limit}))
            .await;
        assert_eq!(refused.status, 422);
    }
}

#[tokio::test]
async fn what_left_checkpoints_is_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let restart = || Client::of(&builder().data_dir(folder.path()).build().unwrap());
    let (kept, lost, run, old) = {
        let client = restart();
        let kept = open(
            &client,
            json!({"display_name": "kept", "user_metadata": {"a": "b"}}),
        )
        .await;
        let run = train(&client, &kept, 0, json!({"seed": 7})).await;
        save(&client, &run, 1, "a").await;
        let place = format!("sessions/{kept}/project");
        let put = client.put(&place, json!({"project_id": "p"})).await;
        assert_eq!(put.status, 200);
        let lost = open(&client, json!({})).await;
        train(&client, &lost, 0, json!(null)).await;
        let old = open(&client, json!({})).await;
        let other = train(&client, &old, 0, json!(null)).await;
        save(&client, &other, 1, "a").await;
        // Written by a version that stored no runs beside the checkpoints.
        let place = folder
            .path()
            .join("checkpoints")
            .join(other.replace(':', "_"));
        std::fs::remove_file(place.join("run.json")).unwrap();
        (kept, lost, run, old)
    };
    let client = restart();
    let found = search(&client, json!({})).await.sessions;
    let ids: Vec<&str> = found.iter().map(|s| s.session_id.as_str()).collect();
    assert_eq!(ids, [old.as_str(), kept.as_str()]);
    assert!(!ids.contains(&lost.as_str()));
    let summary = &found[1];
    assert_eq!(
        (summary.project_id.as_str(), summary.display_name.as_deref()),
        ("p", Some("kept"))
    );
    assert_eq!(summary.checkpoints_count, 1);
    assert!(summary.checkpoint_storage_bytes.unwrap() > 1000);
    let status = serde_json::to_value(&summary.status).unwrap();
    assert_eq!(status["type"], "cancelled", "it can't be active any more");
    let all = runs(&client, "").await.training_runs;
    assert_eq!(all.len(), 2);
    let of_kept = all
        .iter()
        .find(|r| r.training_run_id.as_str() == run)
        .unwrap();
    assert_eq!(of_kept.user_metadata.as_ref().unwrap()["seed"], "7");
    assert!(of_kept.last_checkpoint.is_some());
    // The session itself has ended with its engine.
    let beat = client
        .post("session_heartbeat", json!({"session_id": kept}))
        .await;
    assert_eq!(beat.status, 404);
    let place = format!("training_runs/{run}/checkpoints/weights/a");
    assert_eq!(client.delete(&place).await.status, 200);
    drop(client);
    assert_eq!(runs(&restart(), "").await.training_runs.len(), 1);
}
