//! Comparison with PyTorch, transformers and peft: their results for tiny models are under `tests/fixtures/golden`.
//! `cargo xtask golden` makes them. With `--no-capture` the tests print the differences.

mod apart;
mod fixture;
mod sparse;
mod subject;

use std::path::Path;

use fixture::{Fixture, LossCase, PEFT_ADAPTER, Tensors};
use serde_json::json;
use subject::{Model, Subject};
use tinker_local::{ModelFolder, Storage};
use tinker_types::{Datum, ForwardBackwardOutput, Loss, LossFn};

/// Log probabilities, absolute.
const LOGPROBS: f64 = 1e-5;
/// Losses and metrics, relative. They are sums over tokens whose terms partly cancel.
const LOSSES: f64 = 5e-5;
/// Gradients of a tensor, relative to their length.
const GRADIENTS: f64 = 1e-5;
/// Weights after 50 steps, absolute.
const WEIGHTS: f64 = 1e-4;

#[expect(clippy::print_stdout, reason = "figures for whoever asks for them")]
fn within(limit: f64, apart: f64, model: &str, what: &str) {
    println!("{model:<14} {what:<44} {apart:.1e}");
    assert!(
        apart <= limit,
        "{model}: {what}: {apart:.1e} apart, {limit:.0e} is the most"
    );
}

async fn logprobs(fixture: &Fixture, subject: &mut Subject) {
    for (what, plain) in [
        ("base", &fixture.cases.base),
        ("adapter", &fixture.cases.adapter),
    ] {
        let mut model = if what == "base" {
            subject.fresh().await
        } else {
            subject.adapted().await
        };
        let output = subject.forward(&mut model, &plain.data).await;
        let of_datum =
            |(at, want): (usize, &Vec<f32>)| apart::absolute(output.logprobs(at).unwrap(), want);
        let apart = plain
            .logprobs
            .iter()
            .enumerate()
            .map(of_datum)
            .fold(0.0, f64::max);
        within(
            LOGPROBS,
            apart,
            fixture.name,
            &format!("{what}: log probabilities"),
        );
    }
}

async fn decoding(fixture: &Fixture, subject: &mut Subject) {
    for want in &fixture.cases.decode {
        let what = if want.adapter { "adapter" } else { "base" };
        let got = subject.greedy(want.adapter, &want.prompt, 40).await;
        let sequence = &got.sequences[0];
        assert_eq!(
            sequence.tokens, want.tokens,
            "{} {what}: greedy continuation",
            fixture.name
        );
        let apart = apart::absolute(sequence.logprobs.as_ref().unwrap(), &want.logprobs);
        within(
            LOGPROBS,
            apart,
            fixture.name,
            &format!("{what}: decoding with a cache"),
        );
        let prompt: Vec<f32> = got.prompt_logprobs.unwrap().into_iter().flatten().collect();
        let apart = apart::absolute(&prompt, &want.prompt_logprobs);
        within(
            LOGPROBS,
            apart,
            fixture.name,
            &format!("{what}: log probabilities of a prompt"),
        );
    }
}

async fn losses(fixture: &Fixture, subject: &mut Subject) {
    let mut model = subject.adapted().await;
    let mut uploads = 0;
    for case in &fixture.cases.losses {
        let loss = subject.loss(case, uploads).await;
        uploads += usize::from(case.upload.is_some());
        let output = subject.backward(&mut model, &case.data, loss).await;
        let what = |of: &str| format!("{}: {of}", case.name);
        let of_datum =
            |(at, want): (usize, &Vec<f32>)| apart::absolute(output.logprobs(at).unwrap(), want);
        let apart = case
            .logprobs
            .iter()
            .enumerate()
            .map(of_datum)
            .fold(0.0, f64::max);
        within(LOGPROBS, apart, fixture.name, &what("log probabilities"));
        let apart = apart::number(output.loss_sum().unwrap(), case.loss);
        within(LOSSES, apart, fixture.name, &what("loss"));
        for (name, want) in &case.metrics {
            within(
                LOSSES,
                apart::number(output.metrics[name], *want),
                fixture.name,
                &what(name),
            );
        }
        let gradients = subject.gradients(&mut model).await;
        let apart = apart::relative(&gradients, &fixture.expected(&case.name));
        within(GRADIENTS, apart, fixture.name, &what("gradients"));
        if case.name == "cross_entropy_top_k" {
            let dense = (&output, &gradients);
            as_sparse(case, subject, &mut model, dense, &what("sparse")).await;
        }
    }
}

/// The same targets as sparse tensors, without those of weight 0, give the same bits.
async fn as_sparse(
    case: &LossCase,
    subject: &Subject,
    model: &mut Model,
    (dense, gradients): (&ForwardBackwardOutput, &Tensors),
    what: &str,
) {
    let data: Vec<Datum> = case.data.iter().map(sparse::datum).collect();
    let loss = Loss::new(LossFn::from_name(&case.loss_fn));
    let output = subject.backward(model, &data, loss).await;
    assert_eq!(output.loss_sum(), dense.loss_sum(), "{what}: loss");
    for (at, datum) in case.data.iter().enumerate() {
        let counts = sparse::counting(datum);
        let listed = |all: &[f32]| -> Vec<u32> {
            let of_counting = all.iter().zip(&counts).filter(|(_, counts)| **counts);
            of_counting.map(|(x, _)| x.to_bits()).collect()
        };
        let [got, want] = [&output, dense].map(|output| output.logprobs(at).unwrap());
        assert_eq!(
            got.len(),
            counts.len(),
            "{what}: log probabilities of all cells"
        );
        assert_eq!(listed(got), listed(want), "{what}: log probabilities");
    }
    assert!(
        subject.gradients(model).await == *gradients,
        "{what}: gradients"
    );
}

async fn training(fixture: &Fixture, subject: &mut Subject) {
    for run in &fixture.cases.training {
        let mut model = subject.adapted().await;
        let (mut of_losses, mut of_norms) = (0.0_f64, 0.0_f64);
        for step in 0..run.steps {
            let mut loss = 0.0;
            for batch in &run.batches {
                let output = subject
                    .backward(&mut model, batch, Loss::cross_entropy())
                    .await;
                loss += output.loss_sum().unwrap();
            }
            let norm = subject.step(&mut model, &run.adam_params).await;
            of_losses = of_losses.max(apart::number(loss, run.losses[step]));
            of_norms = of_norms.max(apart::number(norm, run.norms[step]));
        }
        let what = |of: &str| format!("{} steps, {}: {of}", run.steps, run.name);
        let weights = subject.weights(&mut model).await;
        let apart = apart::largest(&weights, &fixture.expected(&run.name));
        within(WEIGHTS, apart, fixture.name, &what("weights"));
        within(LOSSES, of_losses, fixture.name, &what("losses"));
        within(WEIGHTS, of_norms, fixture.name, &what("norms of gradients"));
    }
}

/// Trains an adapter and writes it, its log probabilities and the merged model under `target/tmp/golden`, where
/// `cargo xtask golden` checks them with peft and transformers.
async fn saved(fixture: &Fixture, subject: &mut Subject) {
    let data = &fixture.cases.base.data;
    let adam = json!({
        "learning_rate": 0.01, "beta1": 0.9, "beta2": 0.95, "eps": 1e-12, "weight_decay": 0.0, "grad_clip_norm": 0.0,
    });
    let mut model = subject.fresh().await;
    let before = subject.forward(&mut model, data).await.loss_sum().unwrap();
    for _ in 0..5 {
        subject
            .backward(&mut model, data, Loss::cross_entropy())
            .await;
        subject.step(&mut model, &adam).await;
    }
    let output = subject.forward(&mut model, data).await;
    assert!(
        output.loss_sum().unwrap() < 0.9 * before,
        "{}: it did not learn",
        fixture.name
    );
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("golden")
        .join(fixture.name);
    if place.exists() {
        std::fs::remove_dir_all(&place).unwrap();
    }
    std::fs::create_dir_all(&place).unwrap();
    let checkpoint = subject.save(&mut model).await;
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        std::fs::copy(checkpoint.join(file), place.join(file)).unwrap();
    }
    let logprobs: Vec<_> = (0..data.len())
        .map(|at| output.logprobs(at).unwrap())
        .collect();
    std::fs::write(place.join("logprobs.json"), json!(logprobs).to_string()).unwrap();
    for (storage, folder) in [(None, "merged"), (Some(Storage::F32), "merged-f32")] {
        let saved = format!("tinker://{}/weights/now", model.id);
        subject.merge(fixture, &saved, storage, &place.join(folder));
    }
}

/// A model with peft's adapter merged into it has the log probabilities of peft's model.
async fn merged(fixture: &Fixture, subject: &Subject) {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("merged");
    subject.merge(fixture, PEFT_ADAPTER, Some(Storage::F32), &folder);
    let mut merged = Subject::new(ModelFolder::new(folder).with_name("merged"), None).await;
    let mut model = merged.fresh().await;
    let plain = &fixture.cases.adapter;
    let output = merged.forward(&mut model, &plain.data).await;
    let of_datum =
        |(at, want): (usize, &Vec<f32>)| apart::absolute(output.logprobs(at).unwrap(), want);
    let every = plain.logprobs.iter().enumerate().map(of_datum);
    let apart = every.fold(0.0, f64::max);
    within(LOGPROBS, apart, fixture.name, "merged: log probabilities");
}

async fn compare(name: &'static str) {
    let fixture = Fixture::open(name);
    let folder = ModelFolder::new(fixture.model()).with_name(fixture.name);
    let mut subject = Subject::new(folder, Some(&fixture)).await;
    logprobs(&fixture, &mut subject).await;
    decoding(&fixture, &mut subject).await;
    losses(&fixture, &mut subject).await;
    training(&fixture, &mut subject).await;
    saved(&fixture, &mut subject).await;
    merged(&fixture, &subject).await;
}

macro_rules! models {
    ($($test:ident: $folder:literal, $what:literal;)*) => {$(
        #[doc = $what]
        #[tokio::test]
        async fn $test() {
            compare($folder).await;
        }
    )*};
}

models! {
    llama: "llama", "Grouped queries, a head of its own, f32 in four files.";
    llama3: "llama3", "Scaled rotary embedding, tied, bf16; attention alone is adapted.";
    llama3_older: "llama3-older", "The same in the words of older configurations, untied, f16; the MLP and head are adapted, alpha 20, the head itself in the file.";
    qwen2: "qwen2", "Biases, tied, f16; the head itself in the adapter's file.";
    qwen2_untied: "qwen2-untied", "A key head for each query head, f32 in five files, without an adapted head; rank-stabilised, alpha 12.";
    qwen3: "qwen3", "Normalised heads wider than their share, tied, bf16 in two files.";
    qwen3_untied: "qwen3-untied", "One key head for all, f32, rank 1, alpha 9.";
}
