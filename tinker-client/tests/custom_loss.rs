//! Custom losses on the embedded engine: a custom cross entropy trains like the built-in one.

use std::error::Error;

use tinker_client::autodiff::{Var, differentiate};
use tinker_client::{
    AdamParams, Datum, InvalidValue, LoraConfig, Loss, ServiceClient, TrainingClient,
};
use tinker_local::LocalEngine;

type Outcome = Result<(), Box<dyn Error>>;

const BASE: &str = "tinker-local/tiny";

async fn client(service: &ServiceClient) -> Result<TrainingClient, tinker_client::Error> {
    let lora = LoraConfig::new(8).with_seed(7);
    service.create_lora_training_client(BASE, lora).await
}

/// Answers with log probabilities near the model's own, so that some ratios are clipped and some
/// are not.
async fn data(client: &TrainingClient) -> Result<Vec<Datum>, Box<dyn Error>> {
    let texts = [("sky:", " blue"), ("sea:", " grey")];
    let bytes = |text: &str| -> Vec<u32> { text.bytes().map(u32::from).collect() };
    let mut data = Vec::new();
    for (sign, (prompt, answer)) in [1.0, -1.0].into_iter().zip(texts) {
        let (prompt, answer) = (bytes(prompt), bytes(answer));
        let plain = vec![Datum::supervised(&prompt, &answer)];
        let output = client.forward(plain, Loss::cross_entropy()).await?;
        let logprobs = output.logprobs(0).ok_or("no log probabilities")?;
        let own = &logprobs[prompt.len() - 1..];
        let shifts = [0.0, 0.5, -0.5, 0.1, -0.1];
        let sampled: Vec<f32> = own
            .iter()
            .zip(shifts)
            .map(|(lp, shift)| lp + shift)
            .collect();
        let advantages = vec![sign; answer.len()];
        data.push(Datum::reinforced(&prompt, &answer, &sampled, &advantages)?);
    }
    Ok(data)
}

fn importance_sampling(data: &[Datum], logprobs: &[Var]) -> Result<Var, InvalidValue> {
    let terms = data.iter().zip(logprobs).map(|(datum, lp)| {
        let ratio = (lp - Var::input(datum, "logprobs")?).exp();
        Ok(-(ratio * Var::input(datum, "advantages")?).sum())
    });
    Ok(terms
        .collect::<Result<Vec<_>, InvalidValue>>()?
        .into_iter()
        .sum())
}

fn ppo(data: &[Datum], logprobs: &[Var]) -> Result<Var, InvalidValue> {
    let terms = data.iter().zip(logprobs).map(|(datum, lp)| {
        let ratio = (lp - Var::input(datum, "logprobs")?).exp();
        let advantages = Var::input(datum, "advantages")?;
        let clipped = ratio.clamp(0.8, 1.2) * &advantages;
        Ok(-(ratio * &advantages).min(&clipped).sum())
    });
    Ok(terms
        .collect::<Result<Vec<_>, InvalidValue>>()?
        .into_iter()
        .sum())
}

/// One step under the engine's loss and one under ours, from the same weights: the same value, and
/// the same log probabilities afterwards, which are not those from before.
async fn compare(own: Loss, written: fn(&[Datum], &[Var]) -> Result<Var, InvalidValue>) -> Outcome {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let (theirs, ours) = (client(&service).await?, client(&service).await?);
    let data = data(&theirs).await?;
    let probe = |client: &TrainingClient| client.forward(data.clone(), Loss::importance_sampling());
    let before = probe(&theirs).await?;

    let expected = theirs.forward_backward(data.clone(), own).await?;
    theirs.optim_step(AdamParams::new(1e-2)).await?;
    let output = ours
        .forward_backward_custom(data.clone(), differentiate(written))
        .await?;
    ours.optim_step(AdamParams::new(1e-2)).await?;

    let (loss, wanted) = (
        output.loss_sum().ok_or("no loss")?,
        expected.loss_sum().ok_or("no loss")?,
    );
    assert!((loss - wanted).abs() < 1e-4, "{loss} {wanted}");
    let (after, wanted) = (probe(&ours).await?, probe(&theirs).await?);
    let mut moved = 0.0_f32;
    for datum in 0..data.len() {
        let [before, after, wanted] = [&before, &after, &wanted]
            .map(|output| output.logprobs(datum).unwrap_or_default().to_vec());
        assert!(!after.is_empty());
        for ((before, after), wanted) in before.iter().zip(&after).zip(&wanted) {
            assert!((after - wanted).abs() < 1e-3, "{after} {wanted}");
            moved = moved.max((before - wanted).abs());
        }
    }
    assert!(moved > 0.05, "the step moved nothing: {moved}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn importance_sampling_written_down_is_the_engines() -> Outcome {
    compare(Loss::importance_sampling(), importance_sampling).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ppo_written_down_is_the_engines() -> Outcome {
    compare(Loss::ppo().with_clip(0.8, 1.2), ppo).await
}
