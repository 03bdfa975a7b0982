//! Recorded samples, played to a client that draws them at once and in another order.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use tinker_client::transport::testing::{Cassette, RecordLayer, Scrub};
use tinker_client::{Config, SamplingParams, ServiceClient, ServiceClientBuilder};
use tinker_local::LocalEngine;

use crate::support::{MODEL, Outcome, prompt};

const TEXTS: [&str; 6] = ["The sky", "A cat", "We went", "Once", "It is", "My hat"];

fn builder() -> ServiceClientBuilder {
    let config = Config::new("http://in-process").with_telemetry(false);
    ServiceClient::builder().config(config)
}

/// The tokens drawn for each text, all in flight at once.
async fn draw(
    service: ServiceClient,
    texts: impl Iterator<Item = &'static str>,
) -> Result<BTreeMap<&'static str, Vec<u32>>, tinker_client::Error> {
    let sampler = service.create_sampling_client(MODEL).await?;
    // No seed: each draw is another one.
    let params = SamplingParams::default().with_max_tokens(6);
    let draws = texts.map(|text| {
        let sample = sampler.sample(prompt(text), params.clone());
        async move {
            sample
                .await
                .map(|answer| (text, answer.sequences[0].tokens.clone()))
        }
    });
    Ok(try_join_all(draws).await?.into_iter().collect())
}

#[tokio::test]
async fn concurrent_samples_are_found_by_their_content() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("samples.jsonl");
    let engine = LocalEngine::builtin()?;
    let recording = RecordLayer::create(&path, Scrub::new())?;
    let recorded = builder().leaf(engine.service()).attempt_layer(recording);
    let drawn = draw(recorded.build()?, TEXTS.into_iter()).await?;
    assert!(drawn.values().all(|tokens| !tokens.is_empty()));

    let cassette = Cassette::load(&path)?;
    let player = cassette.loose().ignoring("seq_id");
    let played = draw(builder().leaf(player).build()?, TEXTS.into_iter().rev()).await?;
    assert_eq!(played, drawn);
    Ok(())
}
