//! Training.

use serde_json::{Value, json};
use tinker_types::{Datum, ForwardBackward, Loss, LossFn};

use crate::support::{BASE, Client, builder, client, data, request, save_body, step_body};

#[tokio::test]
async fn a_model_learns() {
    let client = client();
    let (_, model) = client.model().await;
    let mut losses = Vec::new();
    for round in 0..8 {
        let pass = client.forward_backward(&model, 2 * round + 1).await;
        let step = client.step(&model, 2 * round + 2).await;
        let output = client.output(&pass).await;
        assert_eq!(output.loss_fn_outputs.len(), 2);
        assert_eq!(output.logprobs(0).unwrap().len(), 3);
        losses.push(output.loss_sum().unwrap());
        let metrics = client.done(&step).await;
        assert!(
            metrics["metrics"]["grad_norm:mean"].as_f64().unwrap() > 0.0,
            "{metrics}"
        );
    }
    assert!(
        losses.iter().all(|loss| loss.is_finite()) && losses[7] < 0.7 * losses[0],
        "{losses:?}"
    );
}

#[tokio::test]
async fn what_a_model_and_a_server_are_is_told() {
    let client = client();
    let (_, model) = client.model().await;
    let info = client
        .post("get_info", json!({"model_id": model, "type": "get_info"}))
        .await
        .json();
    assert_eq!(
        (
            &info["model_data"]["model_name"],
            &info["lora_rank"],
            &info["is_lora"]
        ),
        (&json!(BASE), &json!(4), &json!(true))
    );
    let capabilities = client.get("get_server_capabilities").await.json();
    assert_eq!(capabilities["supported_models"][0]["model_name"], BASE);
    assert_eq!(
        capabilities["supported_models"][0]["max_context_length"],
        64
    );
    assert_eq!(client.get("healthz").await.json(), json!({"status": "ok"}));
    assert_eq!(
        client.post("telemetry", json!({"events": []})).await.json(),
        json!({"status": "accepted"})
    );
    assert_eq!(
        client
            .post("client/config", json!({"sdk_version": "0"}))
            .await
            .json()["parallel_fwdbwd_chunks"],
        true
    );
    assert_eq!(
        client.post("client/dynamic_config", json!({})).await.json()["sample_cancel_enabled"],
        true
    );
    assert_eq!(client.post("auth/token", json!({})).await.status, 401);
}

#[tokio::test]
async fn a_forward_pass_leaves_no_gradients() {
    let (client, other) = (client(), client());
    let (_, model) = client.model().await;
    let (_, plain) = other.model().await;
    client.probe(&model, 1).await;
    client.probe(&model, 2).await;
    client.forward_backward(&model, 3).await;
    client.done(&client.step(&model, 4).await).await;
    other.forward_backward(&plain, 1).await;
    other.done(&other.step(&plain, 2).await).await;
    assert_eq!(client.probe(&model, 5).await, other.probe(&plain, 3).await);
}

#[tokio::test]
async fn passes_accumulate_until_the_step() {
    let client = client();
    let (_, model) = client.model().await;
    let mut norms = Vec::new();
    let mut number = 0;
    // A learning rate of 0 keeps the weights, so that all passes have the same gradient.
    for passes in [1, 2, 1] {
        for _ in 0..passes {
            number += 1;
            client.forward_backward(&model, number).await;
        }
        number += 1;
        let mut step = step_body(&model, number);
        step["adam_params"] = json!({"learning_rate": 0.0});
        let step = client.post("optim_step", step).await.promise();
        let norm = &client.done(&step).await["metrics"]["grad_norm:mean"];
        norms.push(norm.as_f64().unwrap());
    }
    let [one, two, again] = norms[..] else {
        panic!()
    };
    assert!((two / one - 2.0).abs() < 1e-4, "{norms:?}");
    assert!((again / one - 1.0).abs() < 1e-4, "{norms:?}");
}

#[tokio::test]
async fn older_clients_send_and_get_json() {
    let client = client();
    let (_, model) = client.model().await;
    let new = client.probe(&model, 1).await;
    let new = tinker_types::proto::decode_output(new).unwrap();
    let body = serde_json::to_value(request(&model, 2).with_forward_only(true)).unwrap();
    assert!(body.get("forward_input").is_some());
    let promise = client.post("forward", body).await.promise();
    let reply = client
        .post("retrieve_future", json!({"request_id": promise}))
        .await;
    let old: tinker_types::ForwardBackwardOutput = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(old.logprobs(0), new.logprobs(0));
    let backward = serde_json::to_value(request(&model, 3)).unwrap();
    let promise = client.post("forward_backward", backward).await.promise();
    let reply = client
        .post("retrieve_future", json!({"request_id": promise}))
        .await
        .json();
    assert!(reply["metrics"]["loss:sum"].is_f64(), "{reply}");
    client.done(&client.step(&model, 4).await).await;
}

#[tokio::test]
async fn compressed_bodies_are_read() {
    let client = client();
    let (_, model) = client.model().await;
    let plain = tinker_types::proto::encode_request(&request(&model, 1)).unwrap();
    let body = zstd::encode_all(&plain[..], 3).unwrap();
    let headers = [
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "zstd"),
    ];
    let promise = client
        .send(http::Method::POST, "forward_backward", &headers, body)
        .await
        .promise();
    assert!(client.output(&promise).await.loss_sum().unwrap() > 0.0);
}

#[tokio::test]
async fn every_public_loss_runs_and_the_others_are_refused_with_a_reason() {
    let client = client();
    let (_, model) = client.model().await;
    let datum = Datum::reinforced(&[1, 2], &[3, 4], &[-5.0, -6.0], &[1.0, -1.0]).unwrap();
    let losses = [
        Loss::importance_sampling(),
        Loss::ppo(),
        Loss::cispo(),
        Loss::dro().with_beta(0.1),
    ];
    let mut number = 0;
    for loss in losses {
        number += 1;
        let pass = ForwardBackward::new(model.as_str().into(), number, vec![datum.clone()], loss);
        let output = client.output(&client.pass(&pass).await.promise()).await;
        assert!(output.loss_sum().unwrap().is_finite(), "{:?}", pass.loss);
        assert_eq!(output.logprobs(0).unwrap().len(), 3, "{:?}", pass.loss);
    }
    for name in ["stable_reinforce", "dpo"] {
        number += 1;
        let loss = Loss::new(LossFn::from_name(name));
        let refused = client
            .pass(&ForwardBackward::new(
                model.as_str().into(),
                number,
                vec![datum.clone()],
                loss,
            ))
            .await;
        assert_eq!(refused.status, 422);
        let detail = refused.detail();
        assert!(
            detail.contains(name) && detail.contains("use cross_entropy"),
            "{detail}"
        );
    }
    client.done(&client.step(&model, number + 1).await).await;
}

#[tokio::test]
async fn a_wrong_request_is_refused_with_the_place_and_the_fix() {
    let client = client();
    let (session, model) = client.model().await;
    let create = |base: &str, lora: Value, optimizer: Value| json!({"session_id": session, "model_seq_id": 1, "base_model": base, "lora_config": lora, "optimizer_config": optimizer});
    let (lora, adamw) = (json!({"rank": 4}), json!({"type": "adamw"}));
    let cases = [
        (
            "create_model",
            create("gpt-2", lora.clone(), adamw.clone()),
            422,
            "serves \"tinker-local/random\"",
        ),
        (
            "create_model",
            create(BASE, json!({"rank": 0}), adamw.clone()),
            422,
            "lora_config.rank: is 0",
        ),
        (
            "create_model",
            create(BASE, json!({"rank": 100_000}), adamw),
            422,
            "512 is the most",
        ),
        (
            "create_model",
            create(BASE, lora, json!({"type": "dimuon", "version": 1})),
            422,
            "use \"adamw\"",
        ),
        (
            "optim_step",
            json!({"model_id": model, "seq_id": 1}),
            422,
            "adam_params: is missing",
        ),
        (
            "optim_step",
            json!({"model_id": model, "seq_id": 2, "adam_params": {"learning_rate": -1.0}}),
            422,
            "adam_params.learning_rate",
        ),
        (
            "optim_step",
            json!({"model_id": model, "seq_id": 3, "optimizer_params": {"type": "lion"}}),
            422,
            "give adam_params",
        ),
        (
            "optim_step",
            json!({"model_id": model, "seq_id": 0}),
            422,
            "numbered from 1",
        ),
        (
            "optim_step",
            step_body("s-0:train:0", 1),
            404,
            "may have been restarted",
        ),
        (
            "save_weights",
            save_body(&model, 4, "../up"),
            422,
            "not a valid checkpoint name",
        ),
        (
            "load_weights",
            json!({"session_id": session, "model_seq_id": 2, "path": "tinker://x:train:0/weights/a", "optimizer": true}),
            404,
            "there is no checkpoint",
        ),
        (
            "load_weights",
            json!({"session_id": session, "model_seq_id": 2, "path": "/etc/passwd", "optimizer": true}),
            422,
            "does not start with tinker://",
        ),
        (
            "weights_info",
            json!({"tinker_path": "tinker://x:train:0/weights/a"}),
            404,
            "the run has no checkpoints",
        ),
        (
            "create_model",
            json!({"session_id": "s-0", "model_seq_id": 0, "base_model": BASE}),
            404,
            "session s-0 is not known",
        ),
    ];
    for (path, body, status, detail) in cases {
        let reply = client.post(path, body.clone()).await;
        assert_eq!(
            (reply.status, reply.detail().contains(detail)),
            (status, true),
            "{path} {body}: {}",
            reply.detail()
        );
    }
    // The refused numbers are used up.
    assert_eq!(data().len(), 2);
    client
        .output(&client.forward_backward(&model, 5).await)
        .await;
}

#[tokio::test]
async fn a_loss_can_be_substituted_and_is_reported() {
    let (stable, sampled) = (LossFn::StableReinforce, LossFn::ImportanceSampling);
    let engine = builder().substitute_loss(stable.clone(), sampled.clone());
    let client = Client::of(&engine.build().unwrap());
    let plain = self::client();
    let body = json!({"sdk_version": "0"});
    let session = client.post("create_session", body.clone()).await.json();
    let warning = session["warning_message"].as_str().unwrap();
    assert!(
        warning.contains("stable_reinforce as importance_sampling"),
        "{warning}"
    );
    assert!(plain.post("create_session", body).await.json()["warning_message"].is_null());

    let datum = Datum::reinforced(&[97, 98], &[99, 100], &[-1.0; 2], &[1.0, -0.5]).unwrap();
    let pass = |model: &str, number, loss: Loss| {
        ForwardBackward::new(model.into(), number, vec![datum.clone()], loss)
    };
    let (_, model) = client.model().await;
    let (_, other) = plain.model().await;
    let loss = Loss::stable_reinforce().with("beta", 0.3);
    let substituted = client.pass(&pass(&model, 1, loss)).await.promise();
    let substituted = client.output(&substituted).await;
    let direct = plain
        .pass(&pass(&other, 1, Loss::importance_sampling()))
        .await
        .promise();
    let direct = plain.output(&direct).await;
    assert_eq!(substituted.loss_fn_outputs, direct.loss_fn_outputs);
    assert_eq!(substituted.loss_sum(), direct.loss_sum());
    let metric = "substituted/stable_reinforce_by_importance_sampling:mean";
    assert_eq!(substituted.metrics.get(metric), Some(&1.0));
    assert_eq!(direct.metrics.get(metric), None);
    let refused = plain.pass(&pass(&other, 2, Loss::stable_reinforce())).await;
    assert!(
        refused.detail().contains("--substitute-loss"),
        "{}",
        refused.detail()
    );

    for (name, by) in [(sampled.clone(), LossFn::Ppo), (stable, LossFn::Custom)] {
        let refused = builder().substitute_loss(name, by).build().unwrap_err();
        assert!(
            refused.to_string().contains("can't be computed as"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_record_of_tokens_that_does_not_cover_them_is_refused() {
    let client = client();
    let (_, model) = client.model().await;
    let datum = Datum::reinforced(&[97, 98], &[99, 100], &[-1.0; 2], &[1.0; 2]).unwrap();
    let datum = datum.with_provenance_of("q", 2).unwrap();
    let pass = |number, datum: Datum| {
        let loss = Loss::importance_sampling();
        ForwardBackward::new(model.as_str().into(), number, vec![datum], loss)
    };
    let promise = client.pass(&pass(1, datum.clone())).await.promise();
    assert!(client.output(&promise).await.loss_sum().is_some());
    let mut short = datum.clone();
    short.model_input_spans.pop();
    let mut half = datum;
    half.loss_fn_input_spans.clear();
    for (number, bad, why) in [
        (
            2,
            short,
            "model_input_spans: cover 2 positions for 3 input tokens",
        ),
        (3, half, "loss_fn_input_spans: is missing"),
    ] {
        let reply = client.pass(&pass(number, bad)).await;
        assert_eq!(reply.status, 422);
        let detail = reply.detail();
        assert!(
            detail.starts_with("data[0].") && detail.contains(why),
            "{detail}"
        );
    }
}
