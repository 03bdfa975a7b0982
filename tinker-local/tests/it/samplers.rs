//! Memory of the weights of samplers.

use std::path::Path;

use serde_json::{Value, json};
use tinker_engine::ModelConfig;
use tinker_local::{CpuBackend, Limits, LocalEngine};

use crate::support::{Client, builder, client, request, sample_body, step_body};

/// Resident memory of this process in MiB.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() / 1024
}

/// A train step, then a sampler of the weights. Returns the sampler.
async fn step_and_save(client: &Client, model: &str, index: u64) -> String {
    let number = index * 3 + 1;
    let mut step = step_body(model, number + 1);
    step["adam_params"]["learning_rate"] = 0.002.into();
    client.pass(&request(model, number)).await.promise();
    client.post("optim_step", step).await.promise();
    let save = json!({"model_id": model, "sampling_session_seq_id": index, "seq_id": number + 2});
    let save = client.post("save_weights_for_sampler", save).await;
    let saved: Value = client.done(&save.promise()).await;
    saved["sampling_session_id"].as_str().unwrap().to_owned()
}

async fn draw(client: &Client, sampler: &str, number: u64) -> (Vec<u32>, Vec<f32>) {
    let mut body = sample_body(sampler, number, 6);
    body["sampling_params"]["stop"] = json!([]);
    let promise = client.post("asample", body).await.promise();
    let sequence = client.sampled(&promise).await.sequences.remove(0);
    (sequence.tokens, sequence.logprobs.unwrap())
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("samplers")).unwrap().count()
}

#[tokio::test]
async fn weights_beyond_the_bound_wait_in_files_and_are_the_same_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let start = |bytes| {
        let mut limits = Limits::default();
        limits.sampler_bytes = bytes;
        let engine = builder().limits(limits).data_dir(folder.path());
        engine.build().unwrap()
    };
    // Less than two of these adapters, and less than one.
    for bytes in [120_000, 0] {
        std::fs::create_dir_all(folder.path().join("samplers/left")).unwrap();
        let engine = start(bytes);
        assert_eq!(files(folder.path()), 0, "leftovers are removed");
        let (bounded, free) = (Client::of(&engine), client());
        let (session, model) = bounded.model().await;
        let (_, other) = free.model().await;
        let (mut samplers, mut drawn) = (Vec::new(), Vec::new());
        for index in 0..6 {
            samplers.push(step_and_save(&bounded, &model, index).await);
            let sampler = step_and_save(&free, &other, index).await;
            drawn.push(draw(&free, &sampler, 0).await);
        }
        assert!(files(folder.path()) >= 4, "{}", files(folder.path()));
        for round in 0..2 {
            for (sampler, drawn) in samplers.iter().zip(&drawn) {
                assert_eq!(draw(&bounded, sampler, round).await, *drawn);
            }
        }
        assert_ne!(drawn[0], drawn[5]);
        // All at once: those without room wait for the others.
        let all = samplers.iter().map(|sampler| draw(&bounded, sampler, 9));
        assert_eq!(futures_util::future::join_all(all).await, drawn);
        let finish = json!({"reason": {"type": "success"}});
        let path = format!("sessions/{session}/finish");
        assert_eq!(bounded.post(&path, finish).await.status, 200);
        assert_eq!(files(folder.path()), 0, "files go with their samplers");
    }
}

#[tokio::test]
async fn weights_that_cannot_be_moved_to_a_file_are_named_as_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut limits = Limits::default();
    limits.sampler_bytes = 0;
    let engine = builder().limits(limits).data_dir(folder.path());
    let engine = engine.build().unwrap();
    let client = Client::of(&engine);
    let (_, model) = client.model().await;
    std::fs::remove_dir(folder.path().join("samplers")).unwrap();
    let sampler = step_and_save(&client, &model, 0).await;
    let promise = client.post("asample", sample_body(&sampler, 0, 2)).await;
    let failed = client.fetch(&promise.promise()).await.json();
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("make a new sampler"), "{error}");
}

/// 200 samplers of rank 32 on a vocabulary of 152,000 tokens: 20 MB each. Takes minutes.
#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "figures for whoever asks for them")]
#[tokio::test]
#[ignore = "takes minutes"]
async fn two_hundred_large_samplers_stay_within_the_bound() {
    const BOUND: usize = 256 << 20;
    let mut config = ModelConfig::tiny();
    config.vocab_size = 152_000;
    config.hidden_size = 64;
    config.intermediate_size = 128;
    config.num_hidden_layers = 1;
    config.num_attention_heads = 2;
    config.num_key_value_heads = 1;
    config.head_dim = 32;
    config.max_position_embeddings = 64;
    let mut limits = Limits::default();
    limits.sampler_bytes = BOUND;
    let backend = Box::new(CpuBackend::random(config, 3).unwrap().with_threads(2));
    let engine = LocalEngine::builder().backend(backend).limits(limits);
    let engine = engine.build().unwrap();
    let client = Client::of(&engine);
    let session = client.session().await;
    let creation = json!({
        "session_id": session, "model_seq_id": 0, "base_model": crate::support::BASE,
        "lora_config": {"rank": 32, "seed": 1},
    });
    let made = client.post("create_model", creation).await.promise();
    let model = client.done(&made).await["model_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (mut samplers, mut start, mut most) = (Vec::new(), 0, 0);
    for index in 0..200 {
        let sampler = step_and_save(&client, &model, index).await;
        let drawn = draw(&client, &sampler, 0).await;
        samplers.push((sampler, drawn));
        match index {
            3 => start = resident(),
            4.. => most = most.max(resident()),
            _ => {}
        }
    }
    println!("resident: {start} MiB with 4 samplers, at most {most} MiB with 200");
    // The weights, and a few adapters in motion.
    assert!(most < start + 256 + 128, "{start} {most}");
    for (sampler, drawn) in samplers.iter().step_by(40) {
        assert_eq!(draw(&client, sampler, 1).await, *drawn);
    }
    let finish = json!({"reason": {"type": "success"}});
    client
        .post(&format!("sessions/{session}/finish"), finish)
        .await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    println!("resident: {} MiB after the session", resident());
    assert!(
        resident() < start + 64,
        "memory is returned: {}",
        resident()
    );
}
