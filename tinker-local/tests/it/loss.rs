//! Losses over the log probabilities of whole sequences: gspo, and uploaded graphs.

use serde_json::{Value, json};
use tinker_types::{Datum, ForwardBackward, ForwardBackwardOutput, Loss, LossFn};

use crate::support::{Client, client};

fn reinforced() -> Vec<Datum> {
    let datum = |prompt: &[u32], sampled: &[u32], advantage: f32| {
        let logprobs = vec![-5.5; sampled.len()];
        let advantages = vec![advantage; sampled.len()];
        Datum::reinforced(prompt, sampled, &logprobs, &advantages).unwrap()
    };
    vec![datum(&[1, 2], &[3, 4, 5], 1.5), datum(&[7], &[8, 9], -0.5)]
}

/// The same with the log probabilities under a second, custom name.
fn with_old() -> Vec<Datum> {
    let renamed = |datum: Datum| {
        let old = datum.loss_fn_inputs["logprobs"].clone();
        datum.with_input("old", old)
    };
    reinforced().into_iter().map(renamed).collect()
}

fn masked() -> Vec<Datum> {
    let mask = |datum: Datum| {
        let advantages = datum.loss_fn_inputs["advantages"].as_f32().unwrap();
        let mask: Vec<f32> = advantages
            .iter()
            .map(|a| f32::from(u8::from(*a != 0.0)))
            .collect();
        datum.with_input("sequence_ratio_mask", mask)
    };
    reinforced().into_iter().map(mask).collect()
}

async fn pass(
    client: &Client,
    model: &str,
    number: u64,
    data: Vec<Datum>,
    loss: Loss,
) -> ForwardBackwardOutput {
    let pass = ForwardBackward::new(model.into(), number, data, loss);
    client.output(&client.pass(&pass).await.promise()).await
}

/// `-sum exp(logprobs - old) * advantages`, as traced by the official client.
fn importance_sampling(session: &str, number: u64) -> Value {
    let node = |op: &str, name: &str, target: &str, args: Value| json!({"op": op, "name": name, "target": target, "args": args, "kwargs": {}});
    let of = |name: &str| json!({"ref": name});
    let input = |name: &str| node("placeholder", name, name, json!([]));
    json!({
        "session_id": session, "custom_loss_seq_id": number, "name": "mine", "type": "create_custom_loss",
        "inputs": [{"name": "logprobs", "rank": 1}, {"name": "advantages", "rank": 1}, {"name": "old", "rank": 1}],
        "graph": {"format": 1, "nodes": [
            input("logprobs"), input("advantages"), input("old"),
            node("call_function", "sub", "operator.sub", json!([of("logprobs"), of("old")])),
            node("call_function", "exp", "torch.exp", json!([of("sub")])),
            node("call_function", "mul", "operator.mul", json!([of("exp"), of("advantages")])),
            node("call_method", "sum_1", "sum", json!([of("mul")])),
            node("call_function", "neg", "operator.neg", json!([of("sum_1")])),
            node("call_method", "mean", "mean", json!([of("exp")])),
            node("output", "output", "output", json!([{"tuple": [of("neg"), {"dict": {
                "custom/ratio:mean": of("mean"), "custom/gain:sum": of("sum_1"),
            }}]}])),
        ]},
    })
}

async fn upload(client: &Client, body: Value) -> String {
    let promise = client.post("create_custom_loss", body).await.promise();
    client.done(&promise).await["loss_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn an_uploaded_loss_trains_like_the_same_loss_of_the_engine() {
    let (custom, direct) = (client(), client());
    let (session, model) = custom.model().await;
    let (_, reference) = direct.model().await;
    let id = upload(&custom, importance_sampling(&session, 0)).await;
    assert_eq!(id, format!("{session}:loss:0"));
    assert_eq!(
        upload(&custom, importance_sampling(&session, 0)).await,
        id,
        "once"
    );
    let data = with_old();
    let loss = || Loss::new(LossFn::Custom).with("loss_id", id.as_str());
    let mine = pass(&custom, &model, 1, data, loss()).await;
    let theirs = pass(
        &direct,
        &reference,
        1,
        reinforced(),
        Loss::importance_sampling(),
    )
    .await;
    assert!((mine.loss_sum().unwrap() - theirs.loss_sum().unwrap()).abs() < 1e-9);
    assert_eq!(mine.logprobs(0), theirs.logprobs(0));
    assert!((mine.metrics["custom/gain:sum"] + mine.loss_sum().unwrap()).abs() < 1e-12);
    let ratios = |datum: usize| {
        let logprobs = theirs.logprobs(datum).unwrap();
        let q = reinforced()[datum].loss_fn_inputs["logprobs"]
            .as_f32()
            .unwrap()
            .to_vec();
        let ratios: f64 = logprobs
            .iter()
            .zip(&q)
            .map(|(lp, q)| f64::from(lp - q).exp())
            .sum();
        ratios / logprobs.len() as f64
    };
    let mean = f64::midpoint(ratios(0), ratios(1));
    assert!((mine.metrics["custom/ratio:mean"] - mean).abs() < 1e-5);
    custom.done(&custom.step(&model, 2).await).await;
    direct.done(&direct.step(&reference, 2).await).await;
    assert_eq!(
        custom.probe(&model, 3).await,
        direct.probe(&reference, 3).await,
        "the same gradient"
    );
}

#[tokio::test]
async fn a_forward_pass_of_an_uploaded_loss_leaves_no_gradient() {
    let (client, other) = (client(), client());
    let (session, model) = client.model().await;
    let (_, plain) = other.model().await;
    let id = upload(&client, importance_sampling(&session, 0)).await;
    let data = with_old();
    let loss = Loss::new(LossFn::Custom).with("loss_id", id.as_str());
    let forward =
        ForwardBackward::new(model.as_str().into(), 1, data, loss).with_forward_only(true);
    let output = client.output(&client.pass(&forward).await.promise()).await;
    assert!(output.loss_sum().unwrap().is_finite());
    for (client, model, number) in [(&client, &model, 2), (&other, &plain, 1)] {
        client.forward_backward(model, number).await;
        client.done(&client.step(model, number + 1).await).await;
    }
    assert_eq!(client.probe(&model, 4).await, other.probe(&plain, 3).await);
}

#[tokio::test]
async fn what_is_wrong_with_an_uploaded_loss_is_named() {
    let client = client();
    let (session, model) = client.model().await;
    let mut body = importance_sampling(&session, 0);
    body["graph"]["nodes"][4]["target"] = "torch.linalg.svd".into();
    let refused = client.post("create_custom_loss", body).await;
    assert!(
        refused.status == 422
            && refused
                .detail()
                .starts_with("graph.nodes.exp: calls \"torch.linalg.svd\""),
        "{}",
        refused.detail()
    );
    let id = upload(&client, importance_sampling(&session, 0)).await;
    let send = |loss: Loss, number: u64| {
        let pass = ForwardBackward::new(model.as_str().into(), number, reinforced(), loss);
        let client = client.clone();
        async move { client.pass(&pass).await }
    };
    let missing = send(Loss::new(LossFn::Custom).with("loss_id", id.as_str()), 1).await;
    assert!(
        missing.status == 422
            && missing
                .detail()
                .starts_with("data[0].loss_fn_inputs.old: is missing"),
        "{}",
        missing.detail()
    );
    let unknown = send(Loss::new(LossFn::Custom).with("loss_id", "s-0:loss:0"), 2).await;
    assert!(unknown.status == 422 && unknown.detail().contains("create_custom_loss"));
    // A graph that fails at run time fails the promise, and the model goes on.
    let mut body = importance_sampling(&session, 1);
    body["graph"]["nodes"][6]["args"] = json!([{"ref": "mul"}, 1]);
    let id = upload(&client, body).await;
    let data = with_old();
    let loss = Loss::new(LossFn::Custom).with("loss_id", id.as_str());
    let pass = ForwardBackward::new(model.as_str().into(), 3, data, loss);
    let failed = client
        .fetch(&client.pass(&pass).await.promise())
        .await
        .json();
    assert_eq!(failed["category"], "user");
    assert!(
        failed["error"]
            .as_str()
            .unwrap()
            .contains("node sum_1: dim 1 is out of range"),
        "{failed}"
    );
    client
        .output(&client.forward_backward(&model, 4).await)
        .await;
    // It is removed with its session.
    client
        .post(
            &format!("sessions/{session}/finish"),
            json!({"reason": {"type": "success"}}),
        )
        .await;
    let ended = client
        .post("create_custom_loss", importance_sampling(&session, 2))
        .await;
    assert_eq!(ended.status, 410);
}

#[tokio::test]
async fn gspo_learns_what_pays_and_clips_the_whole_sequence() {
    let client = client();
    let (_, model) = client.model().await;
    let gspo = || Loss::new(LossFn::Gspo);
    let wide = || gspo().with_clip(0.0, 100.0);
    let mut before = None;
    for round in 0..6 {
        let output = pass(&client, &model, 2 * round + 1, masked(), wide()).await;
        let sums: Vec<f32> = [0, 1]
            .map(|datum| output.logprobs(datum).unwrap().iter().sum())
            .to_vec();
        before.get_or_insert(sums.clone());
        client.done(&client.step(&model, 2 * round + 2).await).await;
        if round == 5 {
            let first = before.as_ref().unwrap();
            assert!(
                sums[0] > first[0] && sums[1] < first[1],
                "{first:?} {sums:?}"
            );
        }
    }
    // The paper's bounds are tight: the ratio is beyond them, so positive advantages have no gradient.
    let output = pass(&client, &model, 13, masked()[..1].to_vec(), gspo()).await;
    let want = -3.0 * 1.5 * 1.0004;
    assert!(
        (output.loss_sum().unwrap() - want).abs() < 1e-3,
        "{:?}",
        output.loss_sum()
    );
    let step = client.done(&client.step(&model, 14).await).await;
    assert_eq!(step["metrics"]["grad_norm:mean"], 0.0);
    let missing = ForwardBackward::new(model.as_str().into(), 15, reinforced(), gspo());
    let refused = client.pass(&missing).await;
    assert!(refused.status == 422 && refused.detail().contains("sequence_ratio_mask: is missing"));
}
