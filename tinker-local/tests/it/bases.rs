//! Two base models in one engine.

use serde_json::{Value, json};
use tinker_local::testing::RandomFolder;
use tinker_local::{ExportTarget, LocalEngine, ModelFolder, SavedAdapter};
use tinker_types::{Datum, ForwardBackward, Loss};

use crate::support::{Client, sample_body, save_body, step_body};

const STEPS: u64 = 12;

/// Results of one base model: losses and log probabilities of training, norms, and samples in between.
#[derive(Debug, PartialEq)]
struct Result {
    losses: Vec<u64>,
    logprobs: Vec<Vec<u32>>,
    norms: Vec<Value>,
    tokens: Vec<Vec<u32>>,
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

/// Trains an adapter and samples from its saved weights.
async fn work(client: Client, base: &str) -> Result {
    let session = client.session().await;
    let lora =
        json!({"rank": 4, "seed": 1, "train_unembed": true, "train_mlp": true, "train_attn": true});
    let body = json!({
        "session_id": session, "model_seq_id": 0, "base_model": base, "lora_config": lora,
        "optimizer_config": {"type": "adamw"}, "type": "create_model",
    });
    let made = client
        .done(&client.post("create_model", body).await.promise())
        .await;
    let model = made["model_id"].as_str().unwrap().to_owned();
    let text: Vec<u32> = "the quick brown fox jumps".bytes().map(u32::from).collect();
    let data = vec![
        Datum::supervised(&text[..9], &text[9..]),
        Datum::supervised(&text, &[1]),
    ];
    let mut result = Result {
        losses: Vec::new(),
        logprobs: Vec::new(),
        norms: Vec::new(),
        tokens: Vec::new(),
    };
    let mut number = 0;
    for step in 0..STEPS {
        let pass = ForwardBackward::new(
            model.as_str().into(),
            number + 1,
            data.clone(),
            Loss::cross_entropy(),
        );
        let pass = client.pass(&pass).await.promise();
        let stepped = client
            .post("optim_step", step_body(&model, number + 2))
            .await
            .promise();
        let saved = client
            .post(
                "save_weights",
                save_body(&model, number + 3, &format!("s{step}")),
            )
            .await
            .promise();
        number += 3;
        let output = client.output(&pass).await;
        result.losses.push(output.loss_sum().unwrap().to_bits());
        result
            .logprobs
            .extend((0..data.len()).map(|at| bits(output.logprobs(at).unwrap())));
        result
            .norms
            .push(client.done(&stepped).await["metrics"].clone());
        let path = client.done(&saved).await["path"].clone();
        let sampler = client
            .sampler(&session, step, json!({"model_path": path}))
            .await;
        let drawn = client
            .post("asample", sample_body(&sampler, 0, 20))
            .await
            .promise();
        let drawn = client.sampled(&drawn).await;
        result
            .logprobs
            .push(bits(drawn.sequences[0].logprobs.as_ref().unwrap()));
        result.tokens.push(drawn.sequences[0].tokens.clone());
    }
    result
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_bases_of_an_engine_do_not_touch_each_other() {
    let place = tempfile::tempdir().unwrap();
    let mut random = RandomFolder::llama();
    random.deviation = 1.5;
    random.write(place.path()).unwrap();
    let folder = || ModelFolder::new(place.path()).with_name("folder");
    let client = |with_builtin: bool, with_folder: bool| {
        let mut builder = LocalEngine::builder().threads(2);
        if with_folder {
            builder = builder.model(folder());
        }
        if with_builtin {
            builder = builder.builtin();
        }
        Client::of(&builder.build().unwrap())
    };
    let both = client(true, true);
    let (builtin, of_folder) = tokio::join!(
        tokio::spawn(work(both.clone(), "tinker-local/tiny")),
        tokio::spawn(work(both.clone(), "folder")),
    );
    let (builtin, of_folder) = (builtin.unwrap(), of_folder.unwrap());
    assert!(builtin == work(client(true, false), "tinker-local/tiny").await);
    assert!(of_folder == work(client(false, true), "folder").await);
    assert_ne!(builtin.tokens, of_folder.tokens);
    assert!(f64::from_bits(builtin.losses[11]) < 0.8 * f64::from_bits(builtin.losses[0]));
    assert!(f64::from_bits(of_folder.losses[11]) < 0.8 * f64::from_bits(of_folder.losses[0]));

    // An adapter of one model does not fit the other.
    let session = both.session().await;
    let body = json!({"session_id": session, "sampling_session_seq_id": 0, "type": "create_sampling_session",
        "base_model": "another"});
    assert_eq!(both.post("create_sampling_session", body).await.status, 422);
}

/// Fetching a model again, or another one under the same name, leaves adapters that fit its shapes only.
#[tokio::test]
async fn an_adapter_does_not_run_on_other_weights_of_the_same_name() {
    let place = tempfile::tempdir().unwrap();
    let (base, data) = (place.path().join("base"), place.path().join("data"));
    RandomFolder::qwen3().write(&base).unwrap();
    let engine = || {
        let builder = LocalEngine::builder().data_dir(&data);
        Client::of(&builder.model(ModelFolder::new(&base)).build().unwrap())
    };
    let sampler = async |client: &Client, path: &Value| {
        let session = client.session().await;
        let body = json!({"session_id": session, "sampling_session_seq_id": 0, "model_path": path,
            "type": "create_sampling_session"});
        client.post("create_sampling_session", body).await
    };

    let client = engine();
    let session = client.session().await;
    let body = json!({"session_id": session, "model_seq_id": 0, "base_model": "base", "type": "create_model",
        "lora_config": {"rank": 4}});
    let made = client
        .done(&client.post("create_model", body).await.promise())
        .await;
    let model = made["model_id"].as_str().unwrap().to_owned();
    let saved = client
        .post("save_weights", save_body(&model, 1, "a"))
        .await
        .promise();
    let path = client.done(&saved).await["path"].clone();
    drop(client);
    let adapter = || SavedAdapter::open(&data, &path.as_str().unwrap().parse().unwrap()).unwrap();
    let merged = ExportTarget::new(place.path().join("merged"));
    adapter()
        .write_merged(&adapter().base(None), None, &merged)
        .unwrap();
    assert_eq!(sampler(&engine(), &path).await.status, 200);

    std::fs::remove_dir_all(&base).unwrap();
    RandomFolder::qwen3().with_seed(1).write(&base).unwrap();
    let refused = sampler(&engine(), &path).await;
    let said = refused.json().to_string();
    assert!(
        (400..500).contains(&refused.status) && said.contains("with other weights"),
        "{said}"
    );
    let other = ExportTarget::new(place.path().join("other"));
    let error = adapter().write_merged(&adapter().base(None), None, &other);
    let error = std::error::Error::source(&error.unwrap_err())
        .unwrap()
        .to_string();
    assert!(error.contains("with other weights"), "{error}");
    assert!(!place.path().join("other").exists());
}
