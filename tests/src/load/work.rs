//! The work of each client, a function of its number alone, so that it can be repeated.

use tinker_client::{
    AdamParams, Datum, Error, LoraConfig, ModelInput, SamplingClient, SamplingParams,
};
use tinker_client::{Loss, ServiceClient, TrainingClient};

pub(super) const MODEL: &str = "tinker-local/tiny";

/// Steps between two saves for samplers.
pub(super) const STEPS_BETWEEN_SAVES: u64 = 25;

/// Examples of one step.
const BATCH: u64 = 8;

/// A sample and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Drawn {
    pub(super) number: u64,
    pub(super) tokens: Vec<u32>,
    /// Bits of the log probabilities.
    pub(super) logprobs: Vec<u32>,
}

fn bytes(random: &mut fastrand::Rng, length: std::ops::Range<usize>) -> Vec<u32> {
    let length = random.usize(length);
    std::iter::repeat_with(|| random.u32(97..123))
        .take(length)
        .collect()
}

pub(super) async fn model(
    service: &ServiceClient,
    trainer: usize,
) -> Result<TrainingClient, Error> {
    let lora = LoraConfig::new(8).with_seed(trainer as u64 + 1);
    service.create_lora_training_client(MODEL, lora).await
}

/// Runs one training step: a batch and an update.
pub(super) async fn step(
    training: &TrainingClient,
    trainer: usize,
    step: u64,
) -> Result<(), Error> {
    let mut random = fastrand::Rng::with_seed(trainer as u64 * 1_000_003 + step);
    let datum = |_| {
        let (prompt, answer) = (bytes(&mut random, 4..40), bytes(&mut random, 4..40));
        Datum::supervised(&prompt, &answer)
    };
    let data: Vec<Datum> = (0..BATCH).map(datum).collect();
    let pass = training.forward_backward(data, Loss::cross_entropy());
    let update = training.optim_step(AdamParams::new(1e-3));
    pass.await?;
    update.await?;
    Ok(())
}

/// The name under which the weights after `step` are saved for samplers.
pub(super) fn name(step: u64) -> String {
    format!("step-{step}")
}

/// Draws sample `number`, whose prompt and seed follow from it.
pub(super) async fn draw(sampler: &SamplingClient, number: u64) -> Result<Drawn, Error> {
    let mut random = fastrand::Rng::with_seed(number);
    let prompt = ModelInput::from_tokens(bytes(&mut random, 4..32));
    let params = SamplingParams::default()
        .with_max_tokens(random.u32(8..40))
        .with_seed(number);
    let answer = sampler.sample(prompt, params).await?;
    let sequence = answer.sequences.into_iter().next();
    let (tokens, logprobs) = sequence.map(|s| (s.tokens, s.logprobs)).unwrap_or_default();
    Ok(Drawn {
        number,
        tokens,
        logprobs: logprobs
            .unwrap_or_default()
            .iter()
            .map(|lp| lp.to_bits())
            .collect(),
    })
}
