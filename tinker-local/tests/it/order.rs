//! Order of operations: gaps, repeats, chunks out of order, and states of waiting promises.

use std::time::Duration;

use serde_json::json;

use crate::support::{client, limited, request, step_body};

#[tokio::test]
async fn chunks_arrive_in_any_order_and_run_in_theirs() {
    let (client, straight) = (client(), client());
    let (_, model) = client.model().await;
    let (_, reference) = straight.model().await;
    let mut promises = Vec::new();
    for number in [2, 3, 1] {
        promises.push(client.forward_backward(&model, number).await);
    }
    promises.push(client.step(&model, 4).await);
    for number in 1..=3 {
        straight.forward_backward(&reference, number).await;
    }
    straight.step(&reference, 4).await;
    assert_eq!(
        client.probe(&model, 5).await,
        straight.probe(&reference, 5).await
    );
    for promise in promises {
        assert_eq!(client.fetch(&promise).await.status, 200);
    }
}

#[tokio::test]
async fn a_repeat_is_the_same_promise_and_runs_once() {
    let (client, once) = (client(), client());
    let (_, model) = client.model().await;
    let (_, reference) = once.model().await;
    let first = client.forward_backward(&model, 1).await;
    let again = client.forward_backward(&model, 1).await;
    assert_eq!(first, again);
    let output = client.output(&first).await;
    assert_eq!(
        client
            .output(&client.forward_backward(&model, 1).await)
            .await,
        output,
        "after the end too, and twice"
    );
    let steps = [client.step(&model, 2).await, client.step(&model, 2).await];
    assert_eq!(steps[0], steps[1]);
    once.forward_backward(&reference, 1).await;
    once.step(&reference, 2).await;
    assert_eq!(
        client.probe(&model, 3).await,
        once.probe(&reference, 3).await
    );
}

#[tokio::test]
async fn a_repeated_creation_is_the_same_model() {
    let client = client();
    let (session, model) = client.model().await;
    let body = json!({"session_id": session, "model_seq_id": 0, "base_model": crate::support::BASE, "lora_config": {"rank": 4}});
    let again = client.post("create_model", body).await;
    assert_eq!(again.json()["model_id"], model.as_str());
    assert_eq!(
        client.done(&again.promise()).await["model_id"],
        model.as_str()
    );
}

#[tokio::test]
async fn an_operation_waits_for_its_predecessor_and_says_so() {
    let client = limited(|limits| limits.long_poll = Duration::from_millis(50));
    let (_, model) = client.model().await;
    let parked = client.step(&model, 2).await;
    let body = json!({"request_id": parked});
    let waiting = client.post("retrieve_future", body.clone()).await.json();
    assert_eq!(
        (&waiting["type"], &waiting["queue_state"]),
        (&json!("try_again"), &json!("paused_capacity"))
    );
    let reason = waiting["queue_state_reason"].as_str().unwrap();
    assert!(
        reason.contains(&format!("operation 1 of {model}")) && reason.contains("has not arrived"),
        "{reason}"
    );
    client.forward_backward(&model, 1).await;
    assert!(client.done(&parked).await["metrics"].is_object());
}

#[tokio::test]
async fn a_poll_is_held_until_the_result_is_there() {
    let client = client();
    let (_, model) = client.model().await;
    let parked = client.step(&model, 2).await;
    let (poll, _) = tokio::join!(client.fetch(&parked), async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        client.forward_backward(&model, 1).await
    });
    assert!(poll.json()["metrics"].is_object());
}

#[tokio::test]
async fn a_refused_number_does_not_block_its_successors_and_stays_refused() {
    let client = client();
    let (_, model) = client.model().await;
    let parked = client.step(&model, 3).await;
    let mut bad = request(&model, 1);
    bad.loss = tinker_types::Loss::ppo();
    assert_eq!(client.pass(&bad).await.status, 422);
    assert_eq!(
        client
            .post("optim_step", json!({"model_id": model, "seq_id": 2}))
            .await
            .status,
        422
    );
    client.done(&parked).await;
    let late = client.post("optim_step", step_body(&model, 2)).await;
    assert!(
        late.status == 422 && late.detail().contains("was refused before"),
        "{}",
        late.detail()
    );
}

#[tokio::test]
async fn models_do_not_wait_for_each_other() {
    let client = client();
    let (_, blocked) = client.model().await;
    let (_, free) = client.model().await;
    client.step(&blocked, 2).await;
    client
        .output(&client.forward_backward(&free, 1).await)
        .await;
}

#[tokio::test]
async fn an_ended_session_takes_no_more_work_but_its_results_can_be_fetched() {
    let client = client();
    let (session, model) = client.model().await;
    let pass = client.forward_backward(&model, 1).await;
    let finish = json!({"reason": {"type": "success"}, "detail": null});
    assert_eq!(
        client
            .post(&format!("sessions/{session}/finish"), finish)
            .await
            .status,
        200
    );
    assert_eq!(
        client
            .post("session_heartbeat", json!({"session_id": session}))
            .await
            .status,
        410
    );
    let refused = client.post("optim_step", step_body(&model, 2)).await;
    assert!(
        refused.status == 410 && refused.detail().contains("has ended"),
        "{}",
        refused.detail()
    );
    client.output(&pass).await;
}

#[tokio::test]
async fn a_silent_session_ends() {
    let client = limited(|limits| limits.session_timeout = Duration::from_millis(20));
    let session = client.session().await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(
        client
            .post("session_heartbeat", json!({"session_id": session}))
            .await
            .status,
        410
    );
    assert_eq!(
        client
            .post("session_heartbeat", json!({"session_id": "other"}))
            .await
            .status,
        404
    );
}
