//! A custom loss: a function of log probabilities, whose gradients are derived by automatic differentiation. This one trains
//! on tokens that the model finds unlikely, and leaves those alone that it knows (focal loss).

use std::error::Error;

use tinker_client::autodiff::{Objective, Var, differentiate};
use tinker_client::{AdamParams, Datum, InvalidValue, LoraConfig, ServiceClient};
use tinker_local::LocalEngine;

/// Mean over the learned tokens of `-(1 - p)^2 log p`.
fn focal(data: &[Datum], logprobs: &[Var]) -> Result<Objective, InvalidValue> {
    let mut loss = Var::from_f32(&[0.0]).sum();
    let mut learned = 0.0;
    for (datum, logprobs) in data.iter().zip(logprobs) {
        // 1 at the answer, 0 at the prompt.
        let missing = || InvalidValue::new("weights", "is missing");
        let weights = datum.weights().ok_or_else(missing)?;
        learned += weights.iter().map(|weight| f64::from(*weight)).sum::<f64>();
        let doubt = -(logprobs.exp()) + 1.0;
        loss = loss - (&doubt * &doubt * logprobs * Var::from_f32(weights)).sum();
    }
    Ok(Objective::new(loss / learned).with_metric("learned:sum", learned))
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let creation = service.create_lora_training_client("tinker-local/tiny", LoraConfig::new(8));
    let training = creation.await?;
    let tokens = |text: &str| text.bytes().map(u32::from).collect::<Vec<_>>();
    let data = vec![
        Datum::supervised(&tokens("sky ->"), &tokens(" blue")),
        Datum::supervised(&tokens("snow ->"), &tokens(" white")),
    ];

    let mut losses = Vec::new();
    for _ in 0..12 {
        let pass = training.forward_backward_custom(data.clone(), differentiate(focal));
        // Submitted at once; the server takes it after the gradients of this program.
        let step = training.optim_step(AdamParams::new(5e-3));
        let pass = pass.await?;
        assert!((pass.metrics["learned:sum"] - 11.0).abs() < 1e-9);
        losses.extend(pass.loss_sum());
        step.await?;
    }
    assert!(losses[11] < 0.5 * losses[0], "{losses:?}");
    Ok(())
}
