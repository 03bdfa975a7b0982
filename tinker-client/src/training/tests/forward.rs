//! Passes without gradients on servers that may not know them.

use serde_json::json;
use tinker_types::proto;

use super::dialect::{pass, training};
use crate::fixture::{FakeServer, Reply, Seen, data};
use crate::{AdamParams, Dialect, Error, ForwardOnly, Loss};

/// A server on which passes of the throw-away model, the second one, leave gradients or not.
fn tested(norm: f64) -> FakeServer {
    let server = FakeServer::new();
    server.on("retrieve_future", move |seen| {
        let is_step = seen.json()["request_id"] == "step-3";
        is_step.then(|| Reply::json(json!({"metrics": {"skyrl.ai/grad_norm": norm}})))
    });
    server
}

#[tokio::test(start_paused = true)]
async fn an_honoured_flag_is_used_after_one_test() {
    let server = tested(0.0);
    let dialect = Dialect::default().with_forward_only(ForwardOnly::Tested);
    let client = training(&server, dialect).await;
    for _ in 0..2 {
        client
            .forward(data(1), Loss::cross_entropy())
            .await
            .unwrap();
    }
    let models = server.seen_at("create_model");
    assert_eq!(models.len(), 2, "the model and one throw-away model");
    let unloaded = server.seen_at("unload_model");
    assert_eq!(unloaded.len(), 1);
    assert_eq!(unloaded[0].json()["model_id"], "s:train:1");
    let passes = server.seen_at("forward_backward");
    let of = |model: &str| {
        let passes = passes
            .iter()
            .map(|seen| proto::decode_request(seen.body.clone()).unwrap());
        passes
            .filter(|pass| pass.model_id.as_str() == model && pass.forward_only)
            .count()
    };
    assert_eq!((of("s:train:0"), of("s:train:1"), passes.len()), (2, 2, 4));
    assert!(server.seen_at("forward").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_url_replaces_a_flag_that_is_ignored() {
    let server = tested(0.7);
    let dialect = Dialect::default().with_forward_only(ForwardOnly::Tested);
    let client = training(&server, dialect).await;
    client
        .forward(data(1), Loss::cross_entropy())
        .await
        .unwrap();
    let forwards = server.seen_at("forward");
    assert_eq!(forwards.len(), 2, "the test and the pass");
    let ours = proto::decode_request(forwards[1].body.clone()).unwrap();
    assert_eq!((ours.model_id.as_str(), ours.seq_id), ("s:train:0", 1));
}

#[tokio::test(start_paused = true)]
async fn a_forward_pass_that_would_train_is_refused_and_the_client_stays_usable() {
    let server = tested(0.7);
    server.always("forward", 404, json!({"detail": "Not Found"}));
    let dialect = Dialect::default().with_forward_only(ForwardOnly::Tested);
    let client = training(&server, dialect).await;
    for _ in 0..2 {
        let error = client
            .forward(data(1), Loss::cross_entropy())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Config(_)), "{error}");
        assert!(error.to_string().contains("would add gradients"), "{error}");
    }
    let refused = client.forward(data(1), Loss::cross_entropy());
    // Both are queued behind a pass that is refused before it is sent.
    let (pass, step) = (pass(&client), client.optim_step(AdamParams::new(1e-3)));
    assert!(refused.await.is_err());
    pass.await.unwrap();
    step.await.unwrap();
    let squares = |_: &[crate::Datum], _: &[Vec<f32>]| Err::<crate::CustomLoss, _>("unreachable");
    let custom = client.forward_backward_custom(data(1), squares);
    assert!(matches!(custom.await, Err(Error::Config(_))));
    client.save_state("a").await.unwrap();
    let of_ours = |seen: &Seen| seen.json()["model_id"] == "s:train:0";
    let step = server
        .seen_at("optim_step")
        .into_iter()
        .find(of_ours)
        .unwrap();
    assert_eq!(step.json()["seq_id"], 2, "no number was lost");
    assert_eq!(server.seen_at("create_model").len(), 2, "tested once");
}
