//! Penalties on top of a custom loss, each with its value and its gradient norm among the metrics of the pass.

use std::error::Error;

use tinker_client::autodiff::{Regularizer, Var, regularize};
use tinker_client::{AdamParams, Datum, InvalidValue, LoraConfig, Loss, ServiceClient};
use tinker_local::LocalEngine;

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let creation = service.create_lora_training_client("tinker-local/tiny", LoraConfig::new(8));
    let training = creation.await?;
    let tokens = |text: &str| text.bytes().map(u32::from).collect::<Vec<_>>();
    let mut data = vec![Datum::supervised(&tokens("sky ->"), &tokens(" blue"))];

    // The log probabilities of the untrained model: training must not move far from them.
    let reference = training
        .forward(data.clone(), Loss::cross_entropy())
        .await?;
    let reference = reference
        .logprobs(0)
        .ok_or("no log probabilities")?
        .to_vec();
    data[0] = data[0].clone().with_input("reference", reference);

    let mut last = None;
    for _ in 0..8 {
        let likelihood = |_: &[Datum], logprobs: &[Var]| {
            Ok::<_, InvalidValue>(-logprobs.iter().map(Var::sum).sum::<Var>())
        };
        let terms = [
            Regularizer::kl(0.1, "reference"),
            Regularizer::entropy(0.01).with_name("spread"),
        ];
        let loss = regularize(likelihood, terms);
        let pass = training.forward_backward_custom(data.clone(), loss);
        let step = training.optim_step(AdamParams::new(5e-3));
        last = Some(pass.await?);
        step.await?;
    }
    let metrics = last.ok_or("no step")?.metrics;
    for name in ["grad_norm/kl", "grad_norm/spread"] {
        assert!(metrics.contains_key(name), "{name}: {metrics:?}");
    }
    Ok(())
}
