use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::json;
use tinker_types::{ForwardBackward, proto};

use super::*;
use crate::custom_loss::autodiff::objective::{Objective, differentiate};
use crate::custom_loss::autodiff::var::Var;
use crate::error::Error;
use crate::fixture::{FakeServer, Reply, data};
use crate::{AdamParams, Loss};

fn passes(server: &FakeServer) -> Vec<ForwardBackward> {
    let seen = server.seen_at("forward_backward");
    seen.into_iter()
        .map(|seen| proto::decode_request(seen.body).unwrap())
        .collect()
}

/// A server that answers passes with a log probability for each of two targets.
fn server() -> FakeServer {
    let server = FakeServer::new();
    server.on("retrieve_future", |seen| {
        let id = seen.json()["request_id"].as_str()?.to_owned();
        id.strip_prefix("pass-")?;
        let mut output = ForwardBackwardOutput::default();
        let logprobs = TensorData::from(vec![-0.5, -1.5]);
        output.loss_fn_outputs = vec![BTreeMap::from([("logprobs".to_owned(), logprobs)])];
        output.metrics = BTreeMap::from([("loss:sum".into(), 7.0), ("tokens:sum".into(), 2.0)]);
        Some(Reply::protobuf(proto::encode_output(&output)))
    });
    server.always("client/config", 200, json!({"fwdbwd_max_chunk_len": 1}));
    server
}

#[tokio::test(start_paused = true)]
async fn two_passes_with_the_function_between() {
    let server = server();
    let client = server.training().await;
    let squares = |data: &[Datum], logprobs: &[Var]| {
        assert!(data[0].loss_fn_inputs.contains_key("mine"));
        let loss = logprobs.iter().map(|lp| (lp * lp).sum()).sum::<Var>();
        Ok::<_, InvalidValue>(Objective::new(loss).with_metric("mine:mean", 3.0))
    };
    let data: Vec<Datum> = data(2)
        .into_iter()
        .map(|datum| datum.with_input("mine", vec![1.0]))
        .collect();
    let custom = client.forward_backward_custom(data, differentiate(squares));
    let step = client.optim_step(AdamParams::new(0.1));
    let output = custom.await.unwrap();
    step.await.unwrap();

    // 0.25 + 2.25 for each of two data.
    assert_eq!(output.loss_sum(), Some(5.0));
    assert_eq!(output.metrics.get("surrogate_loss:sum"), Some(&14.0));
    assert_eq!(output.metrics.get("mine:mean"), Some(&3.0));
    assert_eq!(output.metrics.get("tokens:sum"), Some(&4.0));

    let passes = passes(&server);
    let ids: Vec<(u64, bool)> = passes
        .iter()
        .map(|pass| (pass.seq_id, pass.forward_only))
        .collect();
    assert_eq!(ids, [(2, true), (1, true), (4, false), (3, false)]);
    assert_eq!(server.seen_at("optim_step")[0].json()["seq_id"], 5);
    for pass in &passes {
        let inputs = &pass.data[0].loss_fn_inputs;
        assert_eq!(inputs.len(), 2, "{inputs:?}");
        let expected = if pass.forward_only {
            [0.0, 1.0]
        } else {
            [1.0, 3.0]
        };
        assert_eq!(inputs["weights"].as_f32().unwrap(), expected);
    }
    assert_eq!(
        server.seen_at("forward_backward")[0].header("x-sdk-method"),
        Some("TrainingClient.forward_backward_custom")
    );
}

#[tokio::test(start_paused = true)]
async fn a_function_that_fails_poisons_what_follows() {
    let server = server();
    let client = server.training().await;
    let failing = |_: &[Datum], _: &[Vec<f32>]| Err::<CustomLoss, _>("no reward");
    let custom = client.forward_backward_custom(data(1), failing);
    // One that is queued, and one that comes later.
    let queued = client.optim_step(AdamParams::new(0.1));
    let failed = custom.await.unwrap_err();
    assert!(matches!(failed, Error::Loss(_)) && failed.is_user_error());
    assert!(
        failed.to_string().ends_with("computed: no reward"),
        "{failed}"
    );
    for refused in [
        queued.await.map(drop),
        client
            .forward(data(1), Loss::cross_entropy())
            .await
            .map(drop),
        client.save_state("a").await.map(drop),
    ] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, Error::Poisoned(_)), "{refused}");
        assert!(!refused.is_retryable() && !refused.may_have_been_done());
    }
    assert_eq!(passes(&server).len(), 1);
    assert!(server.seen_at("optim_step").is_empty());
}

#[tokio::test(start_paused = true)]
async fn gradients_that_do_not_fit_poison_too_and_so_does_a_panic() {
    let gradients: [(Vec<Vec<f32>>, &str); 3] = [
        (vec![], "gradients: has 0 arrays for 1 data"),
        (vec![vec![1.0]], "gradients[0]: has 1 numbers for 2"),
        (vec![vec![1.0, f32::NAN]], "gradients[0][1]: is NaN"),
    ];
    for (gradients, message) in gradients {
        let client = server().training().await;
        let loss = move |_: &[Datum], _: &[Vec<f32>]| {
            Ok::<_, InvalidValue>(CustomLoss::new(1.0, gradients))
        };
        let failed = client
            .forward_backward_custom(data(1), loss)
            .await
            .unwrap_err();
        let text = failed.to_string();
        assert!(text.contains(&format!("computed: {message}")), "{text}");
        let refused = client.optim_step(AdamParams::new(0.1)).await.unwrap_err();
        assert!(matches!(refused, Error::Poisoned(_)));
    }
    let client = server().training().await;
    let panicking =
        |_: &[Datum], _: &[Vec<f32>]| -> Result<CustomLoss, InvalidValue> { panic!("on purpose") };
    let custom = tokio::spawn(client.forward_backward_custom(data(1), panicking));
    assert!(custom.await.is_err());
    assert!(client.optim_step(AdamParams::new(0.1)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_before_anything_is_sent_poisons_nothing() {
    let server = server();
    let client = server.training().await;
    let calls = Arc::new(Mutex::new(0));
    let count = Arc::clone(&calls);
    let loss = move |_: &[Datum], _: &[Vec<f32>]| {
        *count.lock().unwrap() += 1;
        Ok::<_, InvalidValue>(CustomLoss::default())
    };
    let bad = Datum::new(tinker_types::ModelInput::from_tokens(vec![1, 2]));
    let refused = client
        .forward_backward_custom(vec![bad], loss)
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "data[0].loss_fn_inputs.target_tokens: is missing; a custom loss needs it"
    );
    client.optim_step(AdamParams::new(0.1)).await.unwrap();
    assert_eq!(*calls.lock().unwrap(), 0);
    assert_eq!(server.seen_at("optim_step")[0].json()["seq_id"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_backward_pass_that_is_refused_leaves_no_gap() {
    let server = server();
    let client = server.training().await;
    server.on("forward_backward", |seen| {
        let pass = proto::decode_request(seen.body.clone()).ok()?;
        (!pass.forward_only).then(|| Reply::status(422, json!({"detail": "no"})))
    });
    let zero = |_: &[Datum], _: &[Vec<f32>]| {
        Ok::<_, InvalidValue>(CustomLoss::new(0.0, vec![vec![0.0; 2]]))
    };
    let failed = client.forward_backward_custom(data(1), zero).await;
    assert!(matches!(failed, Err(Error::Status(_))));
    client.optim_step(AdamParams::new(0.1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_loss_handle_of_the_client_sends_the_datums_own_weights() {
    use crate::autodiff::Expr;
    let server = server();
    let service = server.service();
    let scaled = Expr::logprobs() * Expr::input("weights");
    let graph = crate::LossGraph::new("scaled", -scaled.sum())
        .with_metric("custom/gain:sum", scaled.sum())
        .with_metric("custom/gain:mean", scaled.sum());
    let handle = service.create_custom_loss(graph).await.unwrap();
    assert!(handle.loss_id().is_none());
    let client = service.create_lora_training_client("base", crate::LoraConfig::new(4));
    let client = client.await.unwrap();
    let weighted = Datum::supervised(&[1, 2], &[3]).with_input("weights", vec![0.5, 3.0]);
    let output = client
        .forward_backward_with(vec![weighted; 2], &handle)
        .await
        .unwrap();

    for pass in passes(&server) {
        let weights = pass.data[0].loss_fn_inputs["weights"].as_f32().unwrap();
        // The backward pass has the negative gradients, which are the weights here, too.
        assert_eq!(weights, [0.5, 3.0], "{}", pass.forward_only);
    }
    // -0.5 * 0.5 - 1.5 * 3 for each of two data.
    assert_eq!(output.loss_sum(), Some(9.5));
    assert_eq!(output.metrics.get("custom/gain:sum"), Some(&-9.5));
    assert_eq!(output.metrics.get("custom/gain:mean"), Some(&-4.75));
}
