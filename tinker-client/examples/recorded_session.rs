//! A test without a server: the exchange is recorded once and played from its file, with a fault on the way.

use std::error::Error;

use tinker_client::transport::testing::{Cassette, Fault, FaultLayer, RecordLayer, Scrub};
use tinker_client::{Config, SamplingParams, ServiceClient};
use tinker_local::LocalEngine;

/// The program under test.
async fn ask(service: &ServiceClient) -> Result<Vec<u32>, tinker_client::Error> {
    let sampler = service.create_sampling_client("tinker-local/tiny").await?;
    let params = SamplingParams::default().with_max_tokens(4).with_seed(3);
    let mut answer = sampler.sample([72, 105], params).await?;
    Ok(answer.sequences.remove(0).tokens)
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("session.jsonl");
    let config = || Config::new("http://recorded").with_telemetry(false);

    // Once. Without `leaf` it records the network. Keys are not recorded.
    let engine = LocalEngine::builtin()?;
    let recorder = RecordLayer::create(&path, Scrub::new())?;
    let service = ServiceClient::builder()
        .config(config())
        .leaf(engine.service());
    let recorded = ask(&service.attempt_layer(recorder).build()?).await?;

    // From then on from the file. The first connection fails, and the client connects again.
    let cassette = Cassette::load(&path)?;
    let faults = FaultLayer::script([Some(Fault::ResetBefore)]);
    let service = ServiceClient::builder()
        .config(config())
        .leaf(cassette.loose());
    let service = service.attempt_layer(faults.clone()).build()?;
    assert_eq!(ask(&service).await?, recorded);
    assert_eq!(faults.injected().len(), 1);
    Ok(())
}
