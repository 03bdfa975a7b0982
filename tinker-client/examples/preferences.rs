//! A loss of one's own: direct preference optimization, with gradients by automatic differentiation.

use std::error::Error;
use std::sync::Arc;

use tinker_client::autodiff::{Objective, Var, differentiate};
use tinker_client::{AdamParams, Datum, InvalidValue, LoraConfig, Loss, ServiceClient};
use tinker_local::LocalEngine;

const BETA: f64 = 0.1;

fn answer(prompt: &str, answer: &str) -> Datum {
    let tokens = |text: &str| Vec::from_iter(text.bytes().map(u32::from));
    Datum::supervised(&tokens(prompt), &tokens(answer))
}

/// Log probability of the answer of a datum: its targets count by their weights, which are 0 in the prompt.
fn of_answer(datum: &Datum, logprobs: &Var) -> Result<Var, InvalidValue> {
    let weights = datum
        .weights()
        .ok_or_else(|| InvalidValue::new("weights", "is missing"))?;
    Ok((logprobs * Var::from_f32(weights)).sum())
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let lora = LoraConfig::new(8);
    let training = service
        .create_lora_training_client("tinker-local/tiny", lora)
        .await?;
    // Pairs, the preferred answer first.
    let data: Arc<[Datum]> = [
        answer("Q: hi\nA:", " hello"),
        answer("Q: hi\nA:", " go away"),
        answer("Q: thanks\nA:", " you are welcome"),
        answer("Q: thanks\nA:", " whatever"),
    ]
    .into();

    // The reference is the model before the first step.
    let reference = training
        .forward(Arc::clone(&data), Loss::cross_entropy())
        .await?;
    let reference: Arc<[Var]> = (0..data.len())
        .map(|at| Var::from_f32(reference.logprobs(at).unwrap_or_default()))
        .collect();

    let mut losses = Vec::new();
    for _ in 0..8 {
        let reference = Arc::clone(&reference);
        let loss = move |data: &[Datum], logprobs: &[Var]| {
            let gain = |at: usize| of_answer(&data[at], &(&logprobs[at] - &reference[at]));
            let margins: Result<Vec<Var>, InvalidValue> = (0..data.len())
                .step_by(2)
                .map(|at| Ok(gain(at)? - gain(at + 1)?))
                .collect();
            let losses = margins?
                .into_iter()
                .map(|margin| -(BETA * margin).log_sigmoid());
            Ok::<_, InvalidValue>(Objective::new(losses.sum()).with_metric("pairs:sum", 2.0))
        };
        let pass = training.forward_backward_custom(Arc::clone(&data), differentiate(loss));
        let step = training.optim_step(AdamParams::new(2e-3));
        losses.push(pass.await?.loss_sum().ok_or("no loss")?);
        step.await?;
    }
    assert!(
        (losses[0] - 2.0 * 2.0_f64.ln()).abs() < 1e-4,
        "no margin before: {losses:?}"
    );
    assert!(losses[7] < 0.5 * losses[0], "the margins grow: {losses:?}");
    Ok(())
}
