//! Many prompts at once, in their order or as they are completed, with a bound on those in flight.

use std::error::Error;

use futures_util::{StreamExt, TryStreamExt};
use tinker_client::{ModelInput, SampleOptions, SamplingParams, ServiceClient};
use tinker_local::LocalEngine;

/// Prompts in flight at a time.
const PARALLEL: usize = 16;

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let sampler = service.create_sampling_client("tinker-local/tiny").await?;
    // An iterator: prompts are made when their turn comes, so a long list needs no memory.
    let prompts = || {
        (0..50).map(|number| {
            let text = format!("number {number} is ");
            ModelInput::from(text.bytes().map(u32::from).collect::<Vec<_>>())
        })
    };
    let params = SamplingParams::default().with_max_tokens(4).with_seed(7);

    let answers = sampler.sample_many(prompts(), params.clone(), PARALLEL);
    let in_order: Vec<_> = answers.try_collect().await?;
    assert_eq!(in_order.len(), 50);

    // As they are completed, with the place of each prompt. A failure concerns its prompt only.
    let options = SampleOptions::new(params).with_num_samples(2);
    let completed = sampler.sample_as_completed(prompts(), options, PARALLEL);
    let mut completed = std::pin::pin!(completed);
    let mut count = 0;
    while let Some((at, answer)) = completed.next().await {
        let answer = answer?;
        assert_eq!(answer.sequences.len(), 2);
        // The seed decides the first of the two as it did alone.
        assert_eq!(answer.sequences[0].tokens, in_order[at].sequences[0].tokens);
        count += 1;
    }
    assert_eq!(count, 50);
    Ok(())
}
