//! The engine as a service in this process, without a network, under a custom layer.
#![expect(clippy::print_stdout, reason = "a program with output")]

use std::error::Error;

use http::Request;
use tinker_client::transport::layer::{Next, from_fn};
use tinker_client::transport::{Body, Call, Transport};
use tinker_client::{ModelInput, SamplingParams, ServiceClient};
use tinker_local::LocalEngine;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    // Any service makes a transport; nothing is added to it. For retries and limits round the
    // engine, hand it to `ServiceClient::builder().leaf(..)` instead.
    let transport = Transport::new(engine.service()).layer(from_fn(
        |request: Request<Body>, next: Next| async move {
            println!("{}", Call::of(&request).operation);
            next.run(request).await
        },
    ));
    let service = ServiceClient::builder().transport(transport).build()?;
    let sampler = service.create_sampling_client("tinker-local/tiny").await?;
    let text: Vec<u32> = "Hello".bytes().map(u32::from).collect();
    let prompt = ModelInput::from_tokens(text);
    let params = SamplingParams::default().with_max_tokens(8).with_seed(1);
    let answer = sampler.sample(prompt, params).await?;
    println!("{:?}", answer.sequences[0].tokens);
    assert!(!answer.sequences[0].tokens.is_empty());
    Ok(())
}
