use super::super::crew::Crew;
use super::super::model::Model;
use super::super::train::train;
use super::super::team::Team;
use super::super::weights::Weights;
use super::*;
use crate::backend::{LossKind, TrainBatch, TrainDatum};

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

fn crew(threads: usize) -> Crew {
    Crew::new(Arc::new(Team::new(threads)))
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
    AdapterSpec { rank: 3, seed: 1, attention: true, mlp: true, unembed: true }
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
            (0..cells).map(|i| if i % 3 == 1 { 0.0 } else { random.uniform(-1.0, 1.0) }).collect::<Vec<f32>>()
        };
        datum.weights = Some(some(&mut random));
        datum.advantages = Some(some(&mut random));
        datum.logprobs = Some((0..cells).map(|_| random.uniform(-4.0, -3.0)).collect());
    }
    TrainBatch { data, loss, forward_only: false }
}

#[test]
fn gradients_of_every_tensor_agree_with_differences() {
    let model = model();
    let mut crew = crew(1);
    for (loss, k) in [(LossKind::CrossEntropy, 1), (LossKind::CrossEntropy, 2), (LossKind::ImportanceSampling, 1)] {
        let mut batch = batch(loss, k);
        let mut adapter = shaken();
        train(&model, &mut adapter, &batch, &mut crew).unwrap();
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
                let loss = train(&model, &mut adapter, &batch, &mut crew).unwrap().loss_sum;
                adapter.data.copy_from_slice(&start);
                loss
            };
            // `B` is multiplied by 32 / 3, so steps are small.
            let h = 2e-3;
            let slope = (8.0 * (loss_at(h) - loss_at(-h)) - (loss_at(2.0 * h) - loss_at(-2.0 * h))) / (12.0 * h);
            let off = (slope - length).abs() / length;
            // The loss is a sum of some 60 terms good to 1e-6 each: 1e-5, or 5e-3 in the quotient.
            assert!(off < 2e-3 + 5e-3 / length, "{loss:?} {}: {slope} by differences, {length} by the gradient", slot.name);
        }
        assert_eq!(adapter.grads, grads, "a forward-only pass leaves gradients alone");
    }
}

#[test]
fn a_fresh_adapter_changes_nothing() {
    let model = model();
    let mut crew = crew(1);
    let batch = TrainBatch { forward_only: true, ..batch(LossKind::CrossEntropy, 1) };
    let mut first = Adapter::new(&config(), &spec()).unwrap();
    let mut second = Adapter::new(&config(), &AdapterSpec { seed: 2, rank: 1, ..spec() }).unwrap();
    assert!(first.data[..] != second.data[..]);
    let outputs = [&mut first, &mut second].map(|a| train(&model, a, &batch, &mut crew).unwrap().logprobs);
    assert_eq!(outputs[0], outputs[1]);
    let bound = 1.0 / 20.0_f32.sqrt();
    let a = &first.data[first.layout.table.slots[0].at.clone()];
    assert!(a.iter().all(|x| x.abs() <= bound) && a.iter().any(|x| x.abs() > 0.9 * bound));
}

#[test]
fn cells_without_weight_add_nothing_but_have_logprobs() {
    let model = model();
    let mut crew = crew(1);
    let run = |batch: &TrainBatch, crew: &mut Crew| {
        let mut adapter = shaken();
        let output = train(&model, &mut adapter, batch, crew).unwrap();
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
    let clean = run(&clean, &mut crew);
    assert_eq!(clean, run(&dirty, &mut crew));
    assert!(clean.0.logprobs.iter().flatten().all(|lp| *lp < 0.0));

    let mut idle = batch(LossKind::CrossEntropy, 1);
    for datum in &mut idle.data {
        datum.weights = Some(vec![0.0; datum.tokens.len()]);
    }
    let (output, grads) = run(&idle, &mut crew);
    assert_eq!(output.loss_sum, 0.0);
    assert!(grads.iter().all(|g| *g == 0.0));
    assert_eq!(output.logprobs, clean.0.logprobs);
}

#[test]
fn gradients_add_up_and_do_not_depend_on_threads() {
    let model = model();
    let batch = batch(LossKind::CrossEntropy, 1);
    let many = TrainBatch { data: batch.data.iter().cycle().take(37).cloned().collect(), ..batch };
    let run = |threads| {
        let mut adapter = shaken();
        let output = train(&model, &mut adapter, &many, &mut crew(threads)).unwrap();
        (output, adapter.grads)
    };
    let one = run(1);
    assert!(one == run(2) && one == run(7));
    let mut twice = shaken();
    for _ in 0..2 {
        train(&model, &mut twice, &many, &mut crew(2)).unwrap();
    }
    assert!(twice.grads.iter().zip(&one.1).all(|(a, b)| *a == 2.0 * b));
}

#[test]
fn adamw_is_torchs() {
    // Three steps of torch.optim.AdamW worked out by hand in f64 from its documentation.
    let c = AdamStep { learning_rate: 0.1, beta1: 0.9, beta2: 0.95, eps: 1e-3, weight_decay: 0.2, grad_clip_norm: 1.5 };
    let mut adapter = shaken();
    let mut expected: Vec<f64> = adapter.data.iter().map(|w| f64::from(*w)).collect();
    let (mut m, mut v) = (vec![0.0; expected.len()], vec![0.0; expected.len()]);
    for step in 1..=3 {
        let mut random = Random::new(step, 0);
        let grads: Vec<f32> = (0..expected.len()).map(|_| random.normal(0.2)).collect();
        let exact = grads.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let clip = if step == 2 { 0.0 } else { 1.5 };
        let factor = if clip > 0.0 { (clip / (exact + 1e-6)).min(1.0) } else { 1.0 };
        adapter.gather(&grads);
        let norm = adapter.step(&AdamStep { grad_clip_norm: clip, ..c }).unwrap();
        assert!((norm - exact).abs() < 1e-6 * exact && (exact > 1.5), "{norm} {exact}");
        for i in 0..expected.len() {
            let g = f64::from(grads[i]) * factor;
            m[i] = 0.9 * m[i] + 0.1 * g;
            v[i] = 0.95 * v[i] + 0.05 * g * g;
            let (m_hat, v_hat) = (m[i] / (1.0 - 0.9_f64.powi(step as i32)), v[i] / (1.0 - 0.95_f64.powi(step as i32)));
            expected[i] *= 1.0 - 0.1 * 0.2;
            expected[i] -= 0.1 * m_hat / (v_hat.sqrt() + 1e-3);
        }
        for (w, e) in adapter.data.iter().zip(&expected) {
            assert!((f64::from(*w) - e).abs() < 1e-5 * e.abs().max(0.1), "step {step}: {w} {e}");
        }
    }
    // Without gradients the momentum still moves the weights, as torch's does with gradients of zero.
    let before = adapter.data.clone();
    assert_eq!(adapter.step(&AdamStep { weight_decay: 0.0, ..c }).unwrap(), 0.0);
    assert!(before != adapter.data);
}

#[test]
fn what_is_not_finite_changes_nothing() {
    let model = model();
    let mut crew = crew(2);
    let good = batch(LossKind::ImportanceSampling, 1);
    let c = AdamStep { learning_rate: 0.1, beta1: 0.9, beta2: 0.95, eps: 1e-12, weight_decay: 0.0, grad_clip_norm: 0.0 };
    let mut adapter = shaken();
    train(&model, &mut adapter, &good, &mut crew).unwrap();
    adapter.step(&c).unwrap();
    train(&model, &mut adapter, &good, &mut crew).unwrap();
    let (data, grads, first) = (adapter.data.clone(), adapter.grads.clone(), adapter.optimizer.first.clone());

    // A ratio that overflows is found in the batch.
    let mut bad = good.clone();
    bad.data[2].logprobs = Some(vec![-1e4; 5]);
    let error = train(&model, &mut adapter, &bad, &mut crew).unwrap_err();
    assert!(error.message().starts_with("datum 2: its loss or gradient is not finite"), "{error}");
    assert_eq!(adapter.grads, grads);

    // Finite terms whose gradients overflow, too.
    bad.data[2].logprobs = good.data[2].logprobs.clone();
    bad.data[2].advantages = Some(vec![3e37; 5]);
    let error = train(&model, &mut adapter, &bad, &mut crew).unwrap_err();
    assert!(error.message().contains("not finite"), "{error}");
    assert_eq!(adapter.grads, grads);

    // So are gathered gradients and a step that would break the weights; both drop the gradients.
    adapter.grads[0] = f32::INFINITY;
    assert!(adapter.step(&c).is_err());
    assert!(adapter.grads.iter().all(|g| *g == 0.0));
    adapter.grads.copy_from_slice(&grads);
    assert!(adapter.step(&AdamStep { learning_rate: 1e300, ..c }).is_err());
    assert!(adapter.step(&AdamStep { beta1: 1.0, ..c }).is_err());
    assert!(adapter.step(&AdamStep { eps: f64::NAN, ..c }).is_err());
    assert_eq!((data, first, 1), (adapter.data, adapter.optimizer.first, adapter.optimizer.step));
}

#[test]
fn an_exported_adapter_goes_on_as_if_never_stopped() {
    let model = model();
    let mut crew = crew(2);
    let batch = batch(LossKind::CrossEntropy, 1);
    let c = AdamStep { learning_rate: 0.01, beta1: 0.9, beta2: 0.95, eps: 1e-12, weight_decay: 0.0, grad_clip_norm: 0.0 };
    let mut step = |adapter: &mut Adapter| {
        train(&model, adapter, &batch, &mut crew).unwrap();
        adapter.step(&c).unwrap();
    };
    let mut whole = shaken();
    step(&mut whole);
    let mut state = whole.export(true);
    assert_eq!(state.tensors[0].name, "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
    assert_eq!(state.tensors.last().unwrap().name, "base_model.model.lm_head.lora_B.weight");
    // Files do not keep an order.
    state.tensors.reverse();
    let optimizer = state.optimizer.as_mut().unwrap();
    optimizer.first.reverse();
    optimizer.second.reverse();
    let mut resumed = Adapter::import(&config(), &state).unwrap();
    step(&mut whole);
    step(&mut resumed);
    assert!(whole.data == resumed.data && resumed.optimizer.step == 2);

    state.tensors[0].data = vec![f32::NAN; state.tensors[0].data.len()].into();
    assert!(Adapter::import(&config(), &state).unwrap_err().message().contains("lm_head.lora_B.weight"));
    state.tensors.pop();
    assert!(Adapter::import(&config(), &state).is_err());
    let wrong = AdapterState { spec: AdapterSpec { rank: 4, ..spec() }, ..whole.export(false) };
    assert!(Adapter::import(&config(), &wrong).unwrap_err().message().contains("shape [3, 20]"));
}
