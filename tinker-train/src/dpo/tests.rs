#![expect(
    clippy::approx_constant,
    clippy::excessive_precision,
    clippy::float_cmp,
    clippy::unreadable_literal,
    reason = "numbers as they were computed; the loss starts at exactly ln 2, and its margin at 0"
)]

use tinker_client::{LoraConfig, ServiceClient};
use tinker_data::{Example, Renderer};
use tinker_local::LocalEngine;

use super::*;

const fn pair(chosen: f64, rejected: f64) -> PairLogprobs {
    PairLogprobs { chosen, rejected }
}

/// Policy, reference, beta; loss and its derivative by the log probability of the chosen answer, computed with 50 digits
/// (Python, `decimal`) and rounded.
const GOLDEN: [(PairLogprobs, PairLogprobs, f64, f64, f64); 5] = [
    (
        pair(-3.25, -4.5),
        pair(-3.0, -4.75),
        0.1,
        7.18459648013286323e-01,
        -5.12497396484210346e-02,
    ),
    (
        pair(-10.125, -2.25),
        pair(-9.5, -3.5),
        0.5,
        1.26795820760222067e+00,
        -3.59297196285428055e-01,
    ),
    (
        pair(-0.5, -40.0),
        pair(-0.75, -1.0),
        1.0,
        8.99376602902882126e-18,
        -8.99376602902882126e-18,
    ),
    (
        pair(-60.0, -1.0),
        pair(-2.0, -2.5),
        1.0,
        5.95000000000000000e+01,
        -1.00000000000000000e+00,
    ),
    (
        pair(-5.0, -5.0),
        pair(-5.0, -5.0),
        0.1,
        6.93147180559945286e-01,
        -5.00000000000000028e-02,
    ),
];

#[test]
fn loss_and_derivatives_are_those_of_the_formula() {
    for (policy, reference, beta, loss, slope) in GOLDEN {
        let found = pair_loss(policy, reference, beta);
        assert!(
            (found.loss - loss).abs() <= 1e-12 * loss.max(1.0),
            "{found:?}"
        );
        assert!((found.slope - slope).abs() <= 1e-12, "{found:?}");
    }
}

#[test]
fn gradients_are_central_differences_of_the_loss() {
    let datum = |weights: &[f32]| Datum::weighted(&[1, 2, 3, 4], weights).unwrap();
    let data = [datum(&[0.0, 1.0, 1.0, 1.0]), datum(&[0.0, 0.0, 1.0, 0.5])];
    let reference = [pair(-2.0, -1.0)];
    let mut logprobs = vec![vec![-0.5_f32, -1.0, -0.25], vec![-2.0, -0.75, -1.5]];
    let whole = batch_loss(&data, &logprobs, &reference, 0.3);
    for datum in 0..2 {
        for at in 0..3 {
            let mut value = |change: f32| {
                let before = logprobs[datum][at];
                logprobs[datum][at] = before + change;
                let loss = batch_loss(&data, &logprobs, &reference, 0.3).loss;
                logprobs[datum][at] = before;
                loss
            };
            let difference = (value(1.0 / 256.0) - value(-1.0 / 256.0)) * 128.0;
            let gradient = f64::from(whole.gradients[datum][at]);
            assert!(
                (difference - gradient).abs() < 1e-6,
                "{difference} {gradient}"
            );
        }
    }
}

#[test]
fn ties_count_half() {
    let reference = [pair(-1.0, -2.0); 4];
    let policy = [
        pair(-1.0, -2.0),
        pair(-0.5, -2.0),
        pair(-1.0, -1.5),
        pair(0.0, -2.0),
    ];
    assert!((preference_accuracy(&policy, &reference) - 0.625).abs() < 1e-12);
}

#[tokio::test]
async fn the_reference_is_what_training_computes() {
    let engine = LocalEngine::builtin().unwrap();
    let service = ServiceClient::builder()
        .leaf(engine.service())
        .build()
        .unwrap();
    let lora = LoraConfig::new(2);
    let training = service.create_lora_training_client("tinker-local/tiny", lora);
    let training = training.await.unwrap();
    let example = Example::Preference {
        chosen: Box::new(Example::Completion {
            prompt: "sky:".into(),
            completion: " blue".into(),
        }),
        rejected: Box::new(Example::Completion {
            prompt: "sky:".into(),
            completion: " green".into(),
        }),
    };
    let pair = Pair::encode(&Renderer::plain(), &example).unwrap().unwrap();
    let sampler = training
        .save_weights_and_get_sampling_client()
        .await
        .unwrap();
    let pairs = Pairs::from(vec![pair]);
    let reference = pair_logprobs(&sampler, &pairs, &[0]).await.unwrap();
    let reference = reference.into_iter().enumerate();
    let recipe = Dpo::new(pairs, reference, 1, 0).unwrap();
    let batch = recipe.read(0).unwrap();
    let crate::recipe::BatchLoss::Custom(loss) = batch.loss else {
        panic!("a loss of the client");
    };
    let output = training
        .forward_backward_custom(batch.data, loss)
        .await
        .unwrap();
    // At the starting weights every difference is exactly 0.
    assert_eq!(output.loss_sum(), Some(std::f64::consts::LN_2));
    assert_eq!(output.metrics["margin"], 0.0);
}
