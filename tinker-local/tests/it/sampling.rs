//! Sampling.

use serde_json::{Value, json};
use tinker_types::StopReason;

use crate::hooked::held;
use crate::support::{BASE, Client, client, sample_body};

#[tokio::test]
async fn a_sample_has_names_tokens_and_logprobs() {
    let client = client();
    let session = client.session().await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    let mut body = sample_body(&sampler, 0, 6);
    body["num_samples"] = 3.into();
    body["prompt_logprobs"] = true.into();
    body["topk_prompt_logprobs"] = 2.into();
    body["topk_sample_logprobs"] = 2.into();
    let submitted = client.post("asample", body.clone()).await;
    assert_eq!(
        submitted.json()["sample_sequence_ids"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let again = client.post("asample", body).await;
    assert_eq!(
        again.json(),
        submitted.json(),
        "a repeat is the same promise"
    );
    let sampled = client.sampled(&submitted.promise()).await;
    assert_eq!(sampled.sequences.len(), 3);
    for sequence in &sampled.sequences {
        assert_eq!(
            (sequence.stop_reason, sequence.tokens.len()),
            (StopReason::Length, 6)
        );
        assert_eq!(sequence.logprobs.as_ref().unwrap().len(), 6);
        assert_eq!(sequence.topk_logprobs.as_ref().unwrap()[5].len(), 2);
    }
    let prompt = sampled.prompt_logprobs.unwrap();
    assert!(prompt[0].is_none() && prompt[1].is_some() && prompt.len() == 2);
    assert_eq!(
        sampled.topk_prompt_logprobs.unwrap()[1]
            .as_ref()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn older_clients_get_json() {
    let client = client();
    let session = client.session().await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    let promise = client
        .post("asample", sample_body(&sampler, 0, 4))
        .await
        .promise();
    let new = client.sampled(&promise).await;
    let old = client
        .post("retrieve_future", json!({"request_id": promise}))
        .await
        .json();
    assert_eq!(
        (&old["type"], &old["sequences"][0]["stop_reason"]),
        (&json!("sample"), &json!("length"))
    );
    assert_eq!(
        old["sequences"][0]["tokens"],
        json!(new.sequences[0].tokens)
    );
}

/// Tokens of a sample with a fixed seed.
async fn draw(client: &crate::support::Client, sampler: &str, number: u64) -> Vec<u32> {
    let promise = client
        .post("asample", sample_body(sampler, number, 12))
        .await
        .promise();
    client.sampled(&promise).await.sequences[0].tokens.clone()
}

async fn train(client: &crate::support::Client, model: &str, first: u64) {
    for number in [first, first + 2] {
        client.forward_backward(model, number).await;
        client.done(&client.step(model, number + 1).await).await;
    }
}

fn ephemeral(model: &str, number: u64, sampler: u64, kind: &str) -> Value {
    json!({"model_id": model, "sampling_session_seq_id": sampler, "kind": kind, "seq_id": number, "type": "save_weights_for_sampler"})
}

#[tokio::test]
async fn a_snapshot_stays_and_in_flight_samplers_follow() {
    let client = client();
    let (_, model) = client.model().await;
    train(&client, &model, 1).await;
    let mut samplers = Vec::new();
    for (number, kind) in [(5, "snapshot"), (6, "inflight")] {
        let promise = client
            .post(
                "save_weights_for_sampler",
                ephemeral(&model, number, number, kind),
            )
            .await
            .promise();
        samplers.push(
            client.done(&promise).await["sampling_session_id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    let (snapshot, inflight) = (&samplers[0], &samplers[1]);
    let before = draw(&client, snapshot, 0).await;
    assert_eq!(
        draw(&client, inflight, 0).await,
        before,
        "the same weights and the same seed"
    );
    train(&client, &model, 7).await;
    let promise = client
        .post(
            "save_weights_for_sampler",
            ephemeral(&model, 11, 11, "inflight"),
        )
        .await
        .promise();
    let newest = client.done(&promise).await["sampling_session_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let after = draw(&client, &newest, 0).await;
    assert_eq!(draw(&client, snapshot, 1).await, before);
    assert_eq!(draw(&client, inflight, 1).await, after);
    assert_ne!(before, after);
    let taken = client
        .post(
            "save_weights_for_sampler",
            ephemeral(&model, 12, 5, "snapshot"),
        )
        .await;
    assert!(
        taken.status == 422 && taken.detail().contains("is taken"),
        "{}",
        taken.detail()
    );
}

#[tokio::test]
async fn a_repeat_of_an_ephemeral_save_is_the_same_sampler() {
    let client = client();
    let (session, model) = client.model().await;
    let save = |number: u64| {
        let body = ephemeral(&model, 1, number, "snapshot");
        client.post("save_weights_for_sampler", body)
    };
    let first = save(0).await.promise();
    // The official client draws another number of the sampler for each attempt.
    assert_eq!(save(1).await.promise(), first);
    client.done(&first).await;
    assert_eq!(save(2).await.promise(), first);
    let info = client.get(&format!("sessions/{session}")).await.json();
    assert_eq!(info["sampler_ids"].as_array().unwrap().len(), 1, "{info}");
}

#[tokio::test]
async fn a_saved_sampler_samples_like_the_model_it_was_saved_from() {
    let client = client();
    let (session, model) = client.model().await;
    train(&client, &model, 1).await;
    let named = json!({"model_id": model, "path": "final", "kind": "snapshot", "seq_id": 5, "type": "save_weights_for_sampler"});
    let path = client
        .done(
            &client
                .post("save_weights_for_sampler", named)
                .await
                .promise(),
        )
        .await["path"]
        .clone();
    assert_eq!(path, format!("tinker://{model}/sampler_weights/final"));
    let promise = client
        .post(
            "save_weights_for_sampler",
            ephemeral(&model, 6, 9, "snapshot"),
        )
        .await
        .promise();
    let direct = client.done(&promise).await["sampling_session_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let loaded = client
        .sampler(&session, 0, json!({"model_path": path}))
        .await;
    let info = client.get(&format!("samplers/{loaded}")).await.json();
    assert_eq!(
        (&info["base_model"], &info["model_path"]),
        (&json!(BASE), &path)
    );
    assert_eq!(
        draw(&client, &loaded, 0).await,
        draw(&client, &direct, 0).await
    );
    let base = client
        .sampler(&session, 1, json!({"base_model": BASE}))
        .await;
    assert_ne!(
        draw(&client, &base, 0).await,
        draw(&client, &loaded, 1).await
    );
}

#[tokio::test]
async fn sampling_and_training_go_on_side_by_side() {
    let client = client();
    let (session, model) = client.model().await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    let mut samples = Vec::new();
    let mut passes = Vec::new();
    for number in 0..20 {
        samples.push(
            client
                .post("asample", sample_body(&sampler, number, 40))
                .await
                .promise(),
        );
        passes.push(client.forward_backward(&model, number + 1).await);
    }
    let mut same = Vec::new();
    for (sample, pass) in samples.iter().zip(&passes) {
        same.push(client.sampled(sample).await.sequences);
        client.output(pass).await;
    }
    assert!(
        same.windows(2).all(|pair| pair[0] == pair[1]),
        "a seed fixes a sample, whatever runs beside it"
    );
}

#[tokio::test]
async fn a_cancelled_sample_ends() {
    let (engine, allowed) = held();
    let client = Client::of(&engine);
    let (session, model) = client.model().await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    let body = sample_body(&sampler, 0, 60);
    let promise = client.post("asample", body).await.promise();
    assert_eq!(
        client
            .post("cancel_future", json!({"request_id": promise}))
            .await
            .status,
        200
    );
    allowed.set(1);
    let outcome = client.fetch(&promise).await.json();
    assert_eq!(
        (&outcome["category"], &outcome["error"]),
        (&json!("user"), &json!("cancelled by the client"))
    );
    let pass = client.forward_backward(&model, 1).await;
    client
        .post("cancel_future", json!({"request_id": pass}))
        .await;
    client.output(&pass).await;
    assert_eq!(
        client
            .post("cancel_future", json!({"request_id": "nothing"}))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn wrong_samples_are_refused_with_the_place_and_the_fix() {
    let client = client();
    let session = client.session().await;
    let sampler = client
        .sampler(&session, 0, json!({"base_model": BASE}))
        .await;
    let image = json!({"chunks": [{"data": "", "format": "png", "type": "image"}]});
    let cases = [
        ("prompt", image, "reads text only"),
        (
            "prompt",
            json!({"chunks": [{"tokens": [288], "type": "encoded_text"}]}),
            "run from 0 to 287",
        ),
        (
            "prompt",
            json!({"chunks": [{"tokens": vec![1; 65], "type": "encoded_text"}]}),
            "takes at most 64",
        ),
        (
            "prompt",
            json!({"chunks": [{"type": "encoded_text"}]}),
            "malformed encoded_text",
        ),
        ("num_samples", json!(0), "give 1 to 256"),
        ("num_samples", json!(-1), "num_samples"),
        ("num_samples", json!(4_000_000_000_u32), "give 1 to 256"),
        ("seq_id", json!(1e300), "seq_id"),
        ("sampling_session_id", json!("s-0:sample:0"), "is not known"),
    ];
    for (field, value, detail) in cases {
        let mut body = sample_body(&sampler, 0, 4);
        body[field] = value;
        let reply = client.post("asample", body).await;
        assert!(
            reply.status >= 400 && reply.status < 500 && reply.detail().contains(detail),
            "{field}: {}",
            reply.detail()
        );
    }
    let both = client
        .post(
            "create_sampling_session",
            json!({"session_id": session, "sampling_session_seq_id": 1}),
        )
        .await;
    assert!(
        both.status == 422 && both.detail().contains("base_model"),
        "{}",
        both.detail()
    );
}
