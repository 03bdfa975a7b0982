//! Ending work early: by a time limit, by dropping it, and for a whole group of samples.

use std::error::Error;
use std::time::Duration;

use futures_util::StreamExt;
use tinker_client::{Error as ClientError, SamplingParams, ServiceClient, Stop};
use tinker_local::LocalEngine;

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let sampler = service.create_sampling_client("tinker-local/tiny").await?;
    // No stop token, so that an answer takes as long as it may.
    let endless = SamplingParams::default()
        .with_max_tokens(1500)
        .with_stop(Stop::Tokens(Vec::new()));

    // A limit. The sample is cancelled on the server as well.
    let limited = sampler.sample([72, 105], endless.clone());
    match limited.within(Duration::ZERO).await {
        Err(ClientError::TimedOut(limit)) => assert!(limit.to_string().contains("sample")),
        other => return Err(format!("{other:?}").into()),
    }

    // Dropping a sample cancels it. Operations of training run to their end instead: their order matters.
    let dropped = sampler.sample([72, 105], endless.clone());
    drop(dropped);

    // Dropping a stream of answers cancels those that are not done.
    let prompts = (0..8).map(|at| vec![72, at]);
    let mut answers = Box::pin(sampler.sample_as_completed(prompts, endless, 8));
    let first = tokio::time::timeout(Duration::ZERO, answers.next()).await;
    assert!(first.is_err(), "none is done at once");
    drop(answers);

    // The server is free again.
    let short = SamplingParams::default().with_max_tokens(2);
    let answer = sampler.sample([72, 105], short).await?;
    assert!(answer.sequences[0].tokens.len() <= 2);
    Ok(())
}
