//! The backend through its trait.

mod memory;
mod mix;
mod prefix;
mod prompt;
mod refusal;
mod sampling;

use super::*;
use crate::backend::{LossKind, TrainDatum};
use crate::random::Random;

fn config() -> ModelConfig {
    ModelConfig {
        vocab_size: 300,
        hidden_size: 32,
        intermediate_size: 48,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 16,
        max_position_embeddings: 128,
        ..ModelConfig::tiny()
    }
}

fn backend() -> CpuBackend {
    CpuBackend::random(config(), 5).unwrap().with_threads(2)
}

fn tokens(seed: u64, n: usize) -> Vec<u32> {
    let mut random = Random::new(seed, 1);
    (0..n).map(|_| (random.next_u64() % 300) as u32).collect()
}

fn datum(seed: u64, n: usize) -> TrainDatum {
    let mut all = tokens(seed, n + 1);
    let targets = all.split_off(1);
    let first = all[0];
    let tokens = std::iter::once(first)
        .chain(targets[..n - 1].iter().copied())
        .collect();
    TrainDatum {
        tokens,
        targets,
        targets_per_position: 1,
        ..TrainDatum::default()
    }
}

fn batch(data: Vec<TrainDatum>) -> TrainBatch {
    TrainBatch {
        data,
        loss: LossKind::CrossEntropy,
        forward_only: false,
    }
}

fn constants(learning_rate: f64) -> AdamStep {
    AdamStep {
        learning_rate,
        beta1: 0.9,
        beta2: 0.95,
        eps: 1e-12,
        weight_decay: 0.0,
        grad_clip_norm: 0.0,
    }
}

/// An adapter after some training steps, so that it changes results.
fn trained(backend: &mut CpuBackend, seed: u64, rank: usize) -> AdapterId {
    let id = backend
        .create(&AdapterSpec {
            rank,
            seed,
            attention: true,
            mlp: true,
            unembed: seed.is_multiple_of(2),
        })
        .unwrap();
    for _ in 0..3 {
        backend
            .train(id, &batch(vec![datum(seed, 30), datum(seed + 1, 9)]))
            .unwrap();
        backend.step(id, &constants(0.02)).unwrap();
    }
    id
}

fn job(weights: Option<SamplingWeights>, prompt: Vec<u32>, seed: u64) -> SampleJob {
    SampleJob {
        weights,
        prompt,
        num_samples: 1,
        max_tokens: Some(20),
        temperature: 1.0,
        top_k: None,
        top_p: 1.0,
        seed: Some(seed),
        stop: StopRule::Never,
        prompt_logprobs: false,
        prompt_logprobs_last_n: None,
        topk_prompt_logprobs: 0,
        target_prompt_logprobs: Vec::new(),
        prompt_alternatives: 0,
        topk_sample_logprobs: 0,
    }
}

fn bits(logprobs: &[f32]) -> Vec<u32> {
    logprobs.iter().map(|lp| lp.to_bits()).collect()
}

/// Asserts equality to the last bit, except of the cached tokens.
#[track_caller]
fn assert_same(a: &SampleOutput, b: &SampleOutput) {
    assert_eq!(a.sequences, b.sequences);
    assert_eq!(
        a.prompt_logprobs.as_deref().map(bits),
        b.prompt_logprobs.as_deref().map(bits)
    );
    assert_eq!(a.topk_prompt_logprobs, b.topk_prompt_logprobs);
    assert_eq!(a.target_prompt_logprobs, b.target_prompt_logprobs);
    assert_eq!(a.prompt_alternatives, b.prompt_alternatives);
}

/// Runs all jobs together and returns their outputs in order.
fn sample(backend: &mut CpuBackend, jobs: Vec<SampleJob>) -> Vec<SampleOutput> {
    let ids: Vec<_> = jobs
        .into_iter()
        .map(|job| backend.submit(job).unwrap())
        .collect();
    let mut outputs = BTreeMap::new();
    while backend.live_jobs() > 0 {
        for (id, output) in backend.advance() {
            outputs.insert(id, output.unwrap());
        }
    }
    ids.iter().map(|id| outputs.remove(id).unwrap()).collect()
}

#[test]
fn training_lowers_the_loss() {
    let mut backend = backend();
    let id = backend
        .create(&AdapterSpec {
            rank: 8,
            seed: 0,
            attention: true,
            mlp: true,
            unembed: true,
        })
        .unwrap();
    let batch = batch((0..6).map(|i| datum(i, 20)).collect());
    let first = backend.train(id, &batch).unwrap().loss_sum;
    let metrics = backend.step(id, &constants(0.01)).unwrap();
    assert!(metrics[0].0 == "grad_norm:mean" && metrics[0].1 > 0.0);
    for _ in 0..20 {
        backend.train(id, &batch).unwrap();
        backend.step(id, &constants(0.01)).unwrap();
    }
    let last = backend.train(id, &batch).unwrap();
    assert!(last.loss_sum < 0.3 * first, "{first} {}", last.loss_sum);
    let sum: f64 = last
        .logprobs
        .iter()
        .flatten()
        .map(|lp| -f64::from(*lp))
        .sum();
    assert!((sum - last.loss_sum).abs() < 1e-9 * sum);
}

#[test]
fn adapters_do_not_touch_each_other() {
    let mut both = backend();
    let first = trained(&mut both, 2, 4);
    let second = trained(&mut both, 3, 8);
    let mut alone = backend();
    let only = trained(&mut alone, 3, 8);
    assert_eq!(
        both.export(second, true).unwrap(),
        alone.export(only, true).unwrap()
    );
    both.remove(first);
    assert!(
        both.train(first, &batch(vec![datum(0, 3)]))
            .unwrap_err()
            .message()
            .contains("no adapter 0")
    );
}

#[cfg(feature = "base-model")]
#[test]
fn the_builtin_model_loads() {
    let backend = CpuBackend::builtin().unwrap();
    assert_eq!(backend.model().name, "tinker-local/tiny");
    assert_eq!(
        (backend.model().vocab_size, backend.model().context),
        (288, 1024)
    );
    assert_eq!(backend.model().end_tokens, [256]);
    assert_eq!(backend.model().parameters, 824_704);
}
