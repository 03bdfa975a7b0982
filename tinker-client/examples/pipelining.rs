//! Pipelining: the next step is on its way while the last one is computed, so that the server never waits for this program.

use std::collections::VecDeque;
use std::error::Error;
use std::sync::Arc;

use tinker_client::{AdamParams, Datum, LoraConfig, Loss, ServiceClient};
use tinker_local::LocalEngine;

/// Steps that are submitted before the first of them is awaited.
const IN_FLIGHT: usize = 2;
const STEPS: usize = 20;

fn datum(prompt: &str, answer: &str) -> Datum {
    let tokens = |text: &str| text.bytes().map(u32::from).collect::<Vec<_>>();
    Datum::supervised(&tokens(prompt), &tokens(answer))
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let creation = service.create_lora_training_client("tinker-local/tiny", LoraConfig::new(8));
    let training = creation.await?;
    // A batch is shared: its clone is a pointer, not a copy.
    let batches: [Arc<[Datum]>; 2] = [
        Arc::from([datum("one ", "two"), datum("three ", "four")]),
        Arc::from([datum("five ", "six"), datum("seven ", "eight")]),
    ];

    let mut in_flight = VecDeque::new();
    let mut losses = Vec::new();
    for step in 0..STEPS + IN_FLIGHT {
        if step < STEPS {
            let batch = &batches[step % batches.len()];
            // The order of the steps is fixed when this method returns, not when its result is awaited.
            let adam = AdamParams::new(5e-3);
            let done = training.train_step(Arc::clone(batch), Loss::cross_entropy(), adam);
            in_flight.push_back((batch, done));
        }
        if step >= IN_FLIGHT
            && let Some((batch, done)) = in_flight.pop_front()
        {
            losses.extend(done.await?.pass.mean_loss(batch));
        }
    }
    assert_eq!(losses.len(), STEPS);
    assert!(losses[STEPS - 1] < losses[0], "{losses:?}");
    Ok(())
}
