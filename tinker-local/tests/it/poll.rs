//! Polls of all samples of a sampler, results whose size is sent first, and unloaded models.

use std::time::Duration;

use serde_json::{Value, json};
use tinker_types::Completions;

use crate::hooked::held;
use crate::support::{BASE, Client, client, limited, sample_body, step_body};

async fn poll(client: &Client, sampler: &str, change: Value) -> Completions {
    let mut body = json!({
        "target": {"type": "sampling_session", "sampling_session_id": sampler, "cloned_sampler_id": 0},
        "prev_cursor": 0, "retrieved_request_ids": [],
    });
    body.as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    let reply = client.post("retrieve_futures", body).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    serde_json::from_slice(&reply.body).unwrap()
}

fn ids(completions: &Completions) -> Vec<String> {
    let id = |completion: &tinker_types::Completion| match completion {
        tinker_types::Completion::Finished {
            request_id,
            response_payload_uncompressed_size,
        } => {
            assert!(response_payload_uncompressed_size.unwrap() > 0);
            request_id.to_string()
        }
        tinker_types::Completion::Failed { request_id } => format!("{request_id} failed"),
        _ => unreachable!(),
    };
    completions.completions.iter().map(id).collect()
}

#[tokio::test]
async fn one_poll_tells_of_all_samples_of_a_sampler() {
    let client = client();
    let session = client.session().await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    let other = client
        .sampler(&session, 1, json!({"base_model": BASE}))
        .await;
    let at_once = poll(&client, &sampler, json!({"timeout": 0.0})).await;
    assert_eq!((at_once.completions.len(), at_once.cursor), (0, 0));

    let (first, _) = tokio::join!(poll(&client, &sampler, json!({})), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        client.post("asample", sample_body(&other, 0, 4)).await;
        client.post("asample", sample_body(&sampler, 0, 4)).await
    });
    assert_eq!(
        ids(&first),
        [format!("{sampler}:0")],
        "held until there is one"
    );
    assert!(first.cursor > 0);
    client.sampled(&format!("{sampler}:0")).await;

    let second = client
        .post("asample", sample_body(&sampler, 1, 4))
        .await
        .promise();
    client.sampled(&second).await;
    let lost = poll(&client, &sampler, json!({"prev_cursor": first.cursor})).await;
    let again = poll(&client, &sampler, json!({"prev_cursor": first.cursor})).await;
    assert_eq!(
        (ids(&lost), &lost),
        (vec![second.clone()], &again),
        "an answer may get lost"
    );

    let acknowledge =
        json!({"prev_cursor": again.cursor, "timeout": 0.0, "retrieved_request_ids": [second]});
    let quiet = poll(&client, &sampler, acknowledge).await;
    assert_eq!((quiet.completions.len(), quiet.cursor), (0, again.cursor));
    let gone = client
        .post("retrieve_future", json!({"request_id": second}))
        .await;
    assert_eq!(gone.status, 410, "what has arrived need not be kept");
    let kept = client
        .post(
            "retrieve_future",
            json!({"request_id": format!("{other}:0")}),
        )
        .await;
    assert_eq!(kept.status, 200);
}

#[tokio::test]
async fn a_failed_sample_and_that_of_a_copy_are_told_apart() {
    let (engine, allowed) = held();
    let client = Client::of(&engine);
    let session = client.session().await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    let join = json!({"sampling_session_id": sampler, "type": "join_sampling_session"});
    let number = |reply: crate::support::Reply| reply.json()["client_counter"].as_u64().unwrap();
    let first = number(client.post("join_sampling_session", join.clone()).await);
    assert_eq!(
        (
            first,
            number(client.post("join_sampling_session", join).await)
        ),
        (1, 2)
    );
    let of_copy = client
        .post("asample", sample_body(&sampler, 1_000_000_003, 4))
        .await
        .promise();
    allowed.set(5);
    client.sampled(&of_copy).await;
    let long = sample_body(&sampler, 0, 60);
    let cancelled = client.post("asample", long).await.promise();
    client
        .post("cancel_future", json!({"request_id": cancelled}))
        .await;
    allowed.set(1);
    assert_eq!(
        ids(&poll(&client, &sampler, json!({})).await),
        [format!("{cancelled} failed")]
    );
    let target =
        json!({"type": "sampling_session", "sampling_session_id": sampler, "cloned_sampler_id": 1});
    assert_eq!(
        ids(&poll(&client, &sampler, json!({"target": target})).await),
        [of_copy]
    );
}

#[tokio::test]
async fn polls_that_make_no_sense_are_refused() {
    let client = limited(|limits| limits.long_poll = Duration::from_millis(20));
    let session = client.session().await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    let target = |sampler: &str| json!({"type": "sampling_session", "sampling_session_id": sampler, "cloned_sampler_id": 0});
    let cases = [
        (
            json!({"target": target("s-0:sample:0"), "prev_cursor": 0}),
            404,
        ),
        (json!({"target": target(&sampler), "prev_cursor": -1}), 422),
        (
            json!({"target": target(&sampler), "prev_cursor": 0, "timeout": -1.0}),
            422,
        ),
        (
            json!({"target": {"type": "everything"}, "prev_cursor": 0}),
            422,
        ),
    ];
    for (body, status) in cases {
        assert_eq!(
            client.post("retrieve_futures", body.clone()).await.status,
            status,
            "{body}"
        );
    }
    let unknown = json!({"sampling_session_id": "s-0:sample:0"});
    assert_eq!(
        client.post("join_sampling_session", unknown).await.status,
        404
    );
    let nothing = poll(&client, &sampler, json!({"prev_cursor": 7})).await;
    assert_eq!((nothing.completions.len(), nothing.cursor), (0, 7));
}

#[tokio::test]
async fn a_large_result_is_told_by_its_size_first() {
    let client = limited(|limits| limits.inline_result_bytes = 100);
    let (_, model) = client.model().await;
    let promise = client.forward_backward(&model, 1).await;
    let ask = |only_size: bool| {
        let body = json!({"request_id": promise, "allow_metadata_only": only_size});
        client.post("retrieve_future", body)
    };
    let size = ask(true).await.json();
    assert_eq!(size["status"], "complete_metadata");
    assert!(size["response_payload_size"].as_u64().unwrap() > 100);
    let whole = ask(false).await.json();
    assert!(whole["metrics"]["loss:sum"].is_f64());
    let small = client.step(&model, 2).await;
    assert!(client.done(&small).await["metrics"].is_object());
}

#[tokio::test]
async fn a_model_is_unloaded_after_its_last_operation() {
    let client = client();
    let (session, model) = client.model().await;
    let pass = client.forward_backward(&model, 1).await;
    let unload = json!({"model_id": model, "type": "unload_model"});
    let promise = client.post("unload_model", unload.clone()).await.promise();
    assert_eq!(client.done(&promise).await["model_id"], model.as_str());
    assert_eq!(client.post("unload_model", unload).await.promise(), promise);
    client.output(&pass).await;
    let refused = client.post("optim_step", step_body(&model, 2)).await;
    assert!(
        refused.status == 410 && refused.detail().contains("was unloaded"),
        "{}",
        refused.detail()
    );
    // The session goes on.
    let beat = client
        .post("session_heartbeat", json!({"session_id": session}))
        .await;
    assert_eq!(beat.status, 200);
    assert_eq!(
        client
            .post("unload_model", json!({"model_id": "s-0:train:0"}))
            .await
            .status,
        404
    );
}
