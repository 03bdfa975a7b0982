use super::*;
use crate::kernels::Level;
use crate::random::Random;

/// Every feature at once, and widths that fill no vector register.
fn odd_config() -> ModelConfig {
    ModelConfig {
        vocab_size: 23,
        hidden_size: 12,
        intermediate_size: 20,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 6,
        max_position_embeddings: 64,
        tie_word_embeddings: false,
        qkv_bias: true,
        o_bias: true,
        ..ModelConfig::tiny()
    }
}

fn sequences(config: &ModelConfig, lengths: &[usize]) -> Vec<Vec<u32>> {
    let mut random = Random::new(7, 0);
    lengths
        .iter()
        .map(|n| {
            (0..*n)
                .map(|_| (random.next_u64() % config.vocab_size as u64) as u32)
                .collect()
        })
        .collect()
}

/// A model whose weights are all away from their neutral start, so that no gradient is small by chance.
fn shaken(config: &ModelConfig) -> Pretrainer {
    let mut pretrainer = Pretrainer::new(config.clone(), 3).unwrap();
    let mut random = Random::new(5, 5);
    for w in &mut pretrainer.weights.data {
        *w += random.normal(0.15);
    }
    pretrainer.model.repack(&pretrainer.weights.data);
    pretrainer
}

#[test]
fn gradients_of_every_tensor_agree_with_differences() {
    let config = odd_config();
    for tied in [false, true] {
        let config = ModelConfig {
            tie_word_embeddings: tied,
            qk_norm: tied,
            ..config.clone()
        };
        let data = sequences(&config, &[9, 2, 14]);
        let mut pretrainer = shaken(&config);
        pretrainer.pass(&data, GradientScope::AllWeights).unwrap();
        let mut grads = vec![0.0; pretrainer.grads.len()];
        pretrainer.training.add_to(&mut grads);
        let start = pretrainer.weights.data.clone();
        for slot in pretrainer.weights.layout.table.slots.clone() {
            // Along the gradient itself the derivative is its norm: one number that every element of
            // the tensor is part of, and large against the rounding of the loss.
            let direction = &grads[slot.at.clone()];
            let length = norm(direction);
            assert!(length > 1e-5, "{}: the gradient is zero", slot.name);
            let mut loss_at = |h: f64| {
                let mut data_at = start.clone();
                for (w, g) in data_at[slot.at.clone()].iter_mut().zip(direction) {
                    *w += (h * f64::from(*g) / length) as f32;
                }
                pretrainer.model.repack(&data_at);
                pretrainer.pass(&data, GradientScope::None).unwrap().0
            };
            let h = 1e-2;
            // Fourth order, so that a step large against rounding is small against curvature.
            let slope = (8.0 * (loss_at(h) - loss_at(-h)) - (loss_at(2.0 * h) - loss_at(-2.0 * h)))
                / (12.0 * h);
            let off = (slope - length).abs() / length;
            // The loss is accurate to about 1e-7, so the difference quotient to about 2e-5 absolute.
            assert!(
                off < 2e-3 + 3e-5 / length,
                "{}: {slope} by differences, {length} by the gradient",
                slot.name
            );
        }
        pretrainer.model.repack(&start);
    }
}

#[test]
fn single_elements_agree_with_differences() {
    let config = odd_config();
    let data = sequences(&config, &[12, 5]);
    let mut pretrainer = shaken(&config);
    pretrainer.pass(&data, GradientScope::AllWeights).unwrap();
    let mut grads = vec![0.0; pretrainer.grads.len()];
    pretrainer.training.add_to(&mut grads);
    let start = pretrainer.weights.data.clone();
    let mut random = Random::new(11, 0);
    for slot in pretrainer.weights.layout.table.slots.clone() {
        for _ in 0..3 {
            let at = slot.at.start + (random.next_u64() % slot.at.len() as u64) as usize;
            let mut loss_at = |h: f32| {
                let mut data_at = start.clone();
                data_at[at] += h;
                pretrainer.model.repack(&data_at);
                pretrainer.pass(&data, GradientScope::None).unwrap().0
            };
            let h = 2e-2;
            let slope = (8.0 * (loss_at(h) - loss_at(-h)) - (loss_at(2.0 * h) - loss_at(-2.0 * h)))
                / (12.0 * f64::from(h));
            let off = (slope - f64::from(grads[at])).abs();
            assert!(
                off < 1e-4,
                "{}: {slope} by differences, {} by the gradient",
                slot.name,
                grads[at]
            );
        }
    }
}

#[test]
fn results_do_not_depend_on_threads() {
    let config = odd_config();
    let data = sequences(&config, &[40, 33, 7, 60, 12, 59, 44, 3, 50, 61, 30, 20]);
    let run = |threads| {
        let mut pretrainer = Pretrainer::new(config.clone(), 1)
            .unwrap()
            .with_threads(threads);
        let reports: Vec<_> = (0..3)
            .map(|_| pretrainer.step(&data, &StepConstants::new(1e-2)).unwrap())
            .collect();
        (reports, pretrainer.weights.data)
    };
    let one = run(1);
    assert!(one == run(2));
    assert!(one == run(5));
}

#[test]
fn a_saved_run_goes_on_as_if_never_stopped() {
    let config = odd_config();
    let data = sequences(&config, &[20, 30]);
    let c = StepConstants::new(1e-2);
    let mut whole = Pretrainer::new(config.clone(), 1).unwrap();
    whole.step(&data, &c).unwrap();
    let mut resumed = Pretrainer::resume(config.clone(), &whole.save().unwrap()).unwrap();
    assert_eq!(resumed.steps(), 1);
    assert_eq!(
        whole.step(&data, &c).unwrap(),
        resumed.step(&data, &c).unwrap()
    );
    assert!(whole.weights.data == resumed.weights.data);
    let exported = Pretrainer::resume(config, &whole.export().unwrap()).unwrap();
    assert_eq!(exported.steps(), 0);
    let off = exported
        .weights
        .data
        .iter()
        .zip(&whole.weights.data)
        .map(|(a, b)| (a - b).abs() / b.abs().max(1e-3));
    assert!(off.fold(0.0, f32::max) < 1e-3, "f16 keeps three digits");
}

#[test]
fn bad_sequences_are_refused_by_index() {
    let mut pretrainer = Pretrainer::new(odd_config(), 1).unwrap();
    let before = pretrainer.weights.data.clone();
    let c = StepConstants::new(1e-2);
    for (bad, says) in [
        (vec![1], "sequence 1 has 1 tokens"),
        (vec![1; 99], "sequence 1 has 99"),
        (vec![1, 23], "token 23"),
    ] {
        let error = pretrainer.step(&[vec![1, 2], bad], &c).unwrap_err();
        assert!(error.message().contains(says), "{error}");
    }
    assert!(pretrainer.weights.data == before);
    assert!(!Level::detected().name().is_empty());
}
