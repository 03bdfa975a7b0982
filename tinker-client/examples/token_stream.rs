//! Tokens as they are sampled, for a program that shows them at once.

use std::error::Error;

use tinker_client::{SampleEvent, SamplingParams, ServiceClient};
use tinker_local::LocalEngine;

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let sampler = service.create_sampling_client("tinker-local/tiny").await?;
    let prompt: Vec<u32> = "The sky is".bytes().map(u32::from).collect();
    let params = SamplingParams::default().with_max_tokens(24).with_seed(1);

    let mut stream = sampler.stream(prompt, params);
    let (mut seen, mut pieces) = (Vec::new(), 0);
    while let Some(event) = stream.try_next().await? {
        match event {
            // The first tokens come while later ones are not drawn yet.
            SampleEvent::Tokens { tokens, .. } => {
                seen.extend(tokens);
                pieces += 1;
            }
            // The whole answer, as `sample` returns it.
            SampleEvent::Done(response) => assert_eq!(response.sequences[0].tokens, seen),
            _ => {}
        }
    }
    assert!(pieces > 1, "{pieces}");
    Ok(())
}
