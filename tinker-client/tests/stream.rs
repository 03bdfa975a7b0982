//! Token streams of the embedded engine.

use std::error::Error;

use futures_util::StreamExt;
use tinker_client::{
    ModelInput, SampleEvent, SampleOptions, SamplingClient, SamplingParams, ServiceClient,
};
use tinker_local::LocalEngine;

async fn sampler(engine: &LocalEngine) -> Result<SamplingClient, tinker_client::Error> {
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    service.create_sampling_client("tinker-local/tiny").await
}

fn prompt() -> ModelInput {
    ModelInput::from_tokens("The sky is".bytes().map(u32::from).collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_told_before_the_sample_is_done() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let sampler = sampler(&engine).await?;
    let params = SamplingParams::default().with_max_tokens(40).with_seed(5);
    let options = SampleOptions::new(params).with_num_samples(2);
    let events: Vec<_> = sampler.stream(prompt(), options.clone()).collect().await;
    let mut told = [Vec::new(), Vec::new()];
    let mut pieces = 0;
    for event in events {
        match event? {
            SampleEvent::Tokens {
                sequence,
                tokens,
                logprobs,
                ..
            } => {
                assert_eq!(tokens.len(), logprobs.len());
                told[sequence].extend(tokens);
                pieces += 1;
            }
            SampleEvent::Done(response) => {
                let drawn: Vec<_> = response
                    .sequences
                    .iter()
                    .map(|s| s.tokens.clone())
                    .collect();
                assert_eq!(drawn, told);
                assert!(response.sequences[0].sequence_id.is_some());
            }
            other => return Err(format!("{other:?}").into()),
        }
    }
    assert!(pieces > 4, "received in {pieces} pieces");
    let whole = sampler.sample(prompt(), options).await?;
    assert_eq!(
        whole.sequences[0].tokens, told[0],
        "the same draw as without a stream"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_stream_leaves_room_for_others() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let sampler = sampler(&engine).await?;
    let long = SamplingParams::default().with_max_tokens(150);
    for _ in 0..20 {
        let mut stream = sampler.stream(prompt(), long.clone());
        assert!(stream.try_next().await?.is_some());
    }
    let error = sampler.stream(ModelInput::default(), long).try_next().await;
    assert!(error.is_err(), "an empty prompt is refused");
    Ok(())
}
