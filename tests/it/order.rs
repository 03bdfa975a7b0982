//! Operations execute in the order of their calls, whichever is awaited first.

use tinker_client::{AdamParams, Loss};
use tinker_local::LocalEngine;

use crate::support::{MODEL, Outcome, data, in_process, lora};

#[tokio::test]
async fn a_pipeline_gives_what_waiting_for_each_step_gives() -> Outcome {
    let service = in_process(&LocalEngine::builtin()?)?;
    let patient = service.create_lora_training_client(MODEL, lora()).await?;
    let mut one_by_one = Vec::new();
    for _ in 0..6 {
        one_by_one.push(
            patient
                .forward_backward(data(), Loss::cross_entropy())
                .await?,
        );
        patient.optim_step(AdamParams::new(5e-3)).await?;
    }

    let hasty = service.create_lora_training_client(MODEL, lora()).await?;
    let mut pending = Vec::new();
    for _ in 0..6 {
        pending.push(hasty.forward_backward(data(), Loss::cross_entropy()));
        // A step in flight is executed even though its handle is dropped.
        drop(hasty.optim_step(AdamParams::new(5e-3)));
    }
    for (pending, expected) in pending.into_iter().zip(one_by_one).rev() {
        assert_eq!(pending.await?, expected);
    }
    Ok(())
}
