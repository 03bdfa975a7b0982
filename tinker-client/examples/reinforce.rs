//! Reinforcement learning written out: sample, reward, advantages, step. The reward is the share of the letter `e`.

use std::error::Error;

use futures_util::TryStreamExt;
use tinker_client::{
    AdamParams, Datum, LoraConfig, Loss, ModelInput, SampleOptions, SampledSequence,
    SamplingParams, ServiceClient, group_advantages,
};
use tinker_local::LocalEngine;

fn reward(sequence: &SampledSequence) -> f32 {
    let tokens = sequence.tokens.iter();
    let hits = tokens.filter(|token| **token == u32::from(b'e')).count();
    hits as f32 / sequence.tokens.len().max(1) as f32
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let lora = LoraConfig::new(16).with_seed(1);
    let creation = service.create_lora_training_client("tinker-local/tiny", lora);
    let training = creation.await?;
    let prompts = ["The sky is", "A small cat", "We went to"];
    let prompts =
        prompts.map(|text| ModelInput::from(text.bytes().map(u32::from).collect::<Vec<_>>()));

    let mut rewards = Vec::new();
    for step in 0..15 {
        let sampler = training.save_weights_and_get_sampling_client().await?;
        let params = SamplingParams::default().with_max_tokens(8).with_seed(step);
        let options = SampleOptions::new(params).with_num_samples(16);
        // All prompts at once; the answers come in their order.
        let answers = sampler.sample_many(prompts.clone(), options, prompts.len());
        let answers: Vec<_> = answers.try_collect().await?;

        let (mut data, mut total) = (Vec::new(), 0.0);
        for (prompt, answer) in prompts.iter().zip(&answers) {
            let group: Vec<f32> = answer.sequences.iter().map(reward).collect();
            total += group.iter().sum::<f32>() / group.len() as f32;
            for (sequence, advantage) in answer.sequences.iter().zip(group_advantages(&group)) {
                // Equal rewards teach nothing.
                if advantage != 0.0 {
                    data.push(Datum::from_sample(prompt, sequence, advantage)?);
                }
            }
        }
        rewards.push(total / prompts.len() as f32);
        if !data.is_empty() {
            let loss = Loss::importance_sampling();
            training
                .train_step(data, loss, AdamParams::new(4e-3))
                .await?;
        }
    }
    let (first, last) = (rewards[0], rewards[rewards.len() - 1]);
    assert!(last > 2.0 * first, "the reward rises: {rewards:?}");
    Ok(())
}
