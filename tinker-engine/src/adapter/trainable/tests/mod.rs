//! Gradients and optimizer steps.

mod shapes;
mod step;

use super::*;
use crate::backend::{LossKind, TrainBatch, TrainDatum};
use crate::model::{Model, Weights};
use crate::threads::ThreadPool;
use crate::train::{TrainingPool, train};

fn config() -> ModelConfig {
    ModelConfig {
        vocab_size: 29,
        hidden_size: 20,
        intermediate_size: 36,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 10,
        max_position_embeddings: 64,
        ..ModelConfig::tiny()
    }
}

fn pool(threads: usize) -> TrainingPool {
    TrainingPool::new(Arc::new(ThreadPool::new(threads)))
}

fn model() -> Model {
    let mut weights = Weights::random(&config(), 2);
    let mut random = Random::new(9, 9);
    for w in &mut weights.data {
        *w += random.normal(0.1);
    }
    Model::new(config(), &weights)
}

fn spec() -> AdapterSpec {
    AdapterSpec {
        rank: 3,
        seed: 1,
        attention: true,
        mlp: true,
        unembed: true,
    }
}

/// An adapter with `B` away from zero, where the gradient of `A` is not zero either.
fn shaken() -> Adapter {
    let mut adapter = Adapter::new(&config(), &spec()).unwrap();
    let mut random = Random::new(4, 4);
    for w in &mut adapter.data {
        *w += random.normal(0.05);
    }
    adapter
}

fn batch(loss: LossKind, k: usize) -> TrainBatch {
    let mut random = Random::new(3, k as u64);
    let mut token = || (random.next_u64() % 29) as u32;
    let mut data: Vec<TrainDatum> = [17, 1, 5, 60]
        .into_iter()
        .map(|n| TrainDatum {
            tokens: (0..n).map(|_| token()).collect(),
            targets: (0..n * k).map(|_| token()).collect(),
            targets_per_position: k,
            ..TrainDatum::default()
        })
        .collect();
    for datum in &mut data {
        let cells = datum.targets.len();
        // Some cells count, some do not.
        let some = |random: &mut Random| {
            (0..cells)
                .map(|i| {
                    if i % 3 == 1 {
                        0.0
                    } else {
                        random.uniform(-1.0, 1.0)
                    }
                })
                .collect::<Vec<f32>>()
        };
        datum.weights = Some(some(&mut random));
        datum.advantages = Some(some(&mut random));
        datum.logprobs = Some((0..cells).map(|_| random.uniform(-4.0, -3.0)).collect());
    }
    TrainBatch {
        data,
        loss,
        forward_only: false,
    }
}

#[test]
fn gradients_of_every_tensor_agree_with_differences() {
    let model = model();
    let mut pool = pool(1);
    for (loss, k) in [
        (LossKind::CrossEntropy, 1),
        (LossKind::CrossEntropy, 2),
        (LossKind::ImportanceSampling, 1),
    ] {
        let mut batch = batch(loss, k);
        let mut adapter = shaken();
        train(&model, &mut adapter, &batch, &mut pool).unwrap();
        let grads = adapter.grads.clone();
        batch.forward_only = true;
        let start = adapter.data.clone();
        for slot in adapter.layout.table.slots.clone() {
            // Along the gradient itself the derivative is its norm: see the pretrainer's test.
            let direction = &grads[slot.at.clone()];
            let length = norm(direction);
            assert!(length > 1e-3, "{}: the gradient is zero", slot.name);
            let mut loss_at = |h: f64| {
                for (i, g) in slot.at.clone().zip(direction) {
                    adapter.data[i] = start[i] + (h * f64::from(*g) / length) as f32;
                }
                adapter.packed = OnceLock::new();
                let loss = train(&model, &mut adapter, &batch, &mut pool)
                    .unwrap()
                    .loss_sum;
                adapter.data.copy_from_slice(&start);
                loss
            };
            // `B` is multiplied by 32 / 3, so steps are small.
            let h = 2e-3;
            let slope = (8.0 * (loss_at(h) - loss_at(-h)) - (loss_at(2.0 * h) - loss_at(-2.0 * h)))
                / (12.0 * h);
            let off = (slope - length).abs() / length;
            // The loss is a sum of some 60 terms accurate to 1e-6 each: 1e-5, or 5e-3 in the quotient.
            assert!(
                off < 2e-3 + 5e-3 / length,
                "{loss:?} {}: {slope} by differences, {length} by the gradient",
                slot.name
            );
        }
        assert_eq!(
            adapter.grads, grads,
            "a forward-only pass leaves gradients alone"
        );
    }
}

#[test]
fn a_fresh_adapter_changes_nothing() {
    let model = model();
    let mut pool = pool(1);
    let batch = TrainBatch {
        forward_only: true,
        ..batch(LossKind::CrossEntropy, 1)
    };
    let mut first = Adapter::new(&config(), &spec()).unwrap();
    let mut second = Adapter::new(
        &config(),
        &AdapterSpec {
            seed: 2,
            rank: 1,
            ..spec()
        },
    )
    .unwrap();
    assert!(first.data[..] != second.data[..]);
    let outputs =
        [&mut first, &mut second].map(|a| train(&model, a, &batch, &mut pool).unwrap().logprobs);
    assert_eq!(outputs[0], outputs[1]);
    let bound = 1.0 / 20.0_f32.sqrt();
    let a = &first.data[first.layout.table.slots[0].at.clone()];
    assert!(a.iter().all(|x| x.abs() <= bound) && a.iter().any(|x| x.abs() > 0.9 * bound));
}

#[test]
fn cells_without_weight_add_nothing_but_have_logprobs() {
    let model = model();
    let mut pool = pool(1);
    let run = |batch: &TrainBatch, pool: &mut TrainingPool| {
        let mut adapter = shaken();
        let output = train(&model, &mut adapter, batch, pool).unwrap();
        (output, adapter.grads)
    };
    let clean = batch(LossKind::ImportanceSampling, 1);
    let mut dirty = clean.clone();
    for datum in &mut dirty.data {
        let advantages = datum.advantages.clone().unwrap();
        for (q, a) in datum.logprobs.as_mut().unwrap().iter_mut().zip(advantages) {
            if a == 0.0 {
                *q = f32::NAN;
            }
        }
    }
    let clean = run(&clean, &mut pool);
    assert_eq!(clean, run(&dirty, &mut pool));
    assert!(clean.0.logprobs.iter().flatten().all(|lp| *lp < 0.0));

    let mut idle = batch(LossKind::CrossEntropy, 1);
    for datum in &mut idle.data {
        datum.weights = Some(vec![0.0; datum.tokens.len()]);
    }
    let (output, grads) = run(&idle, &mut pool);
    assert!(output.loss_sum.to_bits() == 0);
    assert!(grads.iter().all(|g| *g == 0.0));
    assert_eq!(output.logprobs, clean.0.logprobs);
}

#[test]
fn gradients_add_up_and_do_not_depend_on_threads() {
    let model = model();
    let batch = batch(LossKind::CrossEntropy, 1);
    let many = TrainBatch {
        data: batch.data.iter().cycle().take(37).cloned().collect(),
        ..batch
    };
    let run = |threads| {
        let mut adapter = shaken();
        let output = train(&model, &mut adapter, &many, &mut pool(threads)).unwrap();
        (output, adapter.grads)
    };
    let one = run(1);
    assert!(one == run(2) && one == run(7));
    let mut twice = shaken();
    for _ in 0..2 {
        train(&model, &mut twice, &many, &mut pool(2)).unwrap();
    }
    assert!(
        twice
            .grads
            .iter()
            .zip(&one.1)
            .all(|(a, b)| a.to_bits() == (2.0 * b).to_bits())
    );
}
