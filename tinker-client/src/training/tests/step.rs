//! A pass and the step behind it.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_step_is_sent_behind_an_accepted_pass_only() {
    let server = FakeServer::new();
    let client = server.training().await;
    let done = client.train_step(data(2), ce(), adam()).await.unwrap();
    assert_eq!(done.pass.loss_fn_outputs.len(), 2);
    assert_eq!(order(&server), [1, 2]);
    // Both were in flight at once.
    assert_eq!(server.seconds("optim_step"), [0.0]);

    server.on("forward_backward", |seen| {
        (seq_id(seen) == 3).then(|| Reply::status(422, json!({"detail": "too long"})))
    });
    let error = client.train_step(data(1), ce(), adam()).await.unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
    assert_eq!(server.seen_at("optim_step").len(), 1);
    client.optim_step(adam()).await.unwrap();
    assert_eq!(order(&server), [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_step_is_not_sent_behind_half_a_pass() {
    let server = FakeServer::new();
    let client = split(&server, true).await;
    server.on("forward_backward", |seen| {
        (seq_id(seen) == 2).then(|| Reply::status(422, json!({"detail": "too long"})))
    });
    let error = client.train_step(data(3), ce(), adam()).await.unwrap_err();
    assert!(matches!(error, Error::Partly(_)), "{error}");
    assert!(server.seen_at("optim_step").is_empty());
    client.optim_step(adam()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_step_behind_a_pass_that_fails_later_is_reported() {
    let server = FakeServer::new();
    let client = server.training().await;
    server.then(
        "retrieve_future",
        vec![Reply::json(
            json!({"error": "out of memory", "category": "server"}),
        )],
    );
    let error = client.train_step(data(1), ce(), adam()).await.unwrap_err();
    let Error::Partly(partly) = &error else {
        panic!("{error:?}")
    };
    assert!(
        partly.first().to_string().contains("out of memory"),
        "{error}"
    );
    assert!(
        error.to_string().contains("without its gradients"),
        "{error}"
    );
    assert!(error.may_have_been_done());
}
