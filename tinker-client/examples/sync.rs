//! A training loop without an async runtime.

use std::error::Error;

use tinker_client::blocking::ServiceClient;
use tinker_client::{AdamParams, Datum, FinishReason, LoraConfig, Loss, SamplingParams};
use tinker_local::LocalEngine;

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let builder = tinker_client::ServiceClient::builder().leaf(engine.service());
    let service = ServiceClient::build(builder)?;
    let training = service.create_lora_training_client("tinker-local/tiny", LoraConfig::new(8))?;

    let data = vec![Datum::supervised(&[104, 105], &[33, 256])];
    for _ in 0..20 {
        training.train_step(data.clone(), Loss::cross_entropy(), AdamParams::new(5e-3))?;
    }
    let sampler = training.save_weights_and_get_sampling_client()?;
    let greedy = SamplingParams::default()
        .with_temperature(0.0)
        .with_max_tokens(4);

    // Clones in threads are in flight at once.
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (sampler, greedy) = (sampler.clone(), greedy.clone());
            std::thread::spawn(move || sampler.sample([104, 105], greedy))
        })
        .collect();
    for thread in threads {
        let answer = thread.join().map_err(|_| "a thread panicked")??;
        assert_eq!(answer.sequences[0].tokens, [33, 256]);
    }

    // Async calls on the same runtime, for methods without a blocking form and for several calls in flight.
    let (run, losses) = training.block_on(async |training| {
        let passes = [1e-4, 1e-4].map(|rate| {
            training.train_step(data.clone(), Loss::cross_entropy(), AdamParams::new(rate))
        });
        (
            training.model_id().clone(),
            futures_util::future::try_join_all(passes).await,
        )
    });
    assert_eq!(losses?.len(), 2);
    let shown = service.block_on(async |service| service.runs().get(&run).await)?;
    assert_eq!(shown.training_run_id, run);
    Ok(service.close(FinishReason::Success)?)
}
