//! Direct preference optimization as a custom loss, with gradients by automatic differentiation.

use std::error::Error;
use std::sync::Arc;

use tinker_client::autodiff::{Var, differentiate};
use tinker_client::{AdamParams, Datum, InvalidValue, LoraConfig, Loss, ServiceClient};
use tinker_local::LocalEngine;

const BETA: f64 = 0.1;

fn answer(prompt: &str, answer: &str) -> Datum {
    let tokens = |text: &str| text.bytes().map(u32::from).collect::<Vec<_>>();
    Datum::supervised(&tokens(prompt), &tokens(answer))
}

/// How much likelier an answer became since the reference. Weights are 0 in the prompt.
fn gain(datum: &Datum, logprobs: &Var) -> Result<Var, InvalidValue> {
    let gained = logprobs - Var::input(datum, "reference")?;
    Ok((gained * Var::input(datum, "weights")?).sum())
}

/// The preferred answer of each pair is the first.
fn loss(data: &[Datum], logprobs: &[Var]) -> Result<Var, InvalidValue> {
    let mut total = Var::constant(0.0);
    for (pair, lps) in data.chunks(2).zip(logprobs.chunks(2)) {
        let margin = gain(&pair[0], &lps[0])? - gain(&pair[1], &lps[1])?;
        total = total - (BETA * margin).log_sigmoid();
    }
    Ok(total)
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let lora = LoraConfig::new(8);
    let creation = service.create_lora_training_client("tinker-local/tiny", lora);
    let training = creation.await?;
    let mut data = [" hello", " go away"]
        .map(|text| answer("Q: hi\nA:", text))
        .to_vec();

    // The reference is the model before the first step. Its log probabilities travel with the data.
    let pass = training.forward(data.clone(), Loss::cross_entropy());
    let reference = pass.await?;
    for (at, datum) in data.iter_mut().enumerate() {
        let logprobs = reference.logprobs(at).ok_or("no log probabilities")?;
        *datum = datum.clone().with_input("reference", logprobs.to_vec());
    }
    let (data, mut losses): (Arc<[Datum]>, _) = (data.into(), Vec::new());
    for _ in 0..8 {
        let pass = training.forward_backward_custom(Arc::clone(&data), differentiate(loss));
        let step = training.optim_step(AdamParams::new(2e-3));
        losses.push(pass.await?.loss_sum().ok_or("no loss")?);
        step.await?;
    }
    assert!(losses[7] < 0.5 * losses[0], "the margin grows: {losses:?}");
    Ok(())
}
