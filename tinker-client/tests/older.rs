//! Older servers without protobuf: the whole training loop works.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt;
use http::Request;
use tinker_client::transport::Body;
use tinker_client::transport::layer::{Next, from_fn};
use tinker_client::{
    AdamParams, Config, Datum, FinishReason, LoadOptions, LoraConfig, Loss, ModelInput,
    SampleEvent, SamplingParams, ServiceClient,
};
use tinker_local::LocalEngine;

const BASE: &str = "tinker-local/tiny";

fn older_engine() -> Result<LocalEngine, Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    engine.behave(|behavior| behavior.json_only = true);
    Ok(engine)
}

fn data() -> Vec<Datum> {
    vec![Datum::supervised(&[115, 107, 121, 58], &[32, 98, 108])]
}

#[tokio::test(flavor = "multi_thread")]
async fn training_and_sampling_work_without_protobuf() -> Result<(), Box<dyn Error>> {
    let engine = older_engine()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let training = service
        .create_lora_training_client(BASE, LoraConfig::new(8).with_seed(3))
        .await?;
    let before = training.forward(data(), Loss::cross_entropy()).await?;
    for _ in 0..3 {
        let pass = training.forward_backward(data(), Loss::cross_entropy());
        let step = training.optim_step(AdamParams::new(1e-2));
        assert!(pass.await?.logprobs(0).is_some());
        step.await?;
    }
    let after = training.forward(data(), Loss::cross_entropy()).await?;
    assert!(after.loss_sum() < before.loss_sum());

    let sampler = training.save_weights_and_get_sampling_client().await?;
    let params = SamplingParams::default().with_max_tokens(5).with_seed(1);
    let prompt = ModelInput::from_tokens([115, 107, 121, 58]);
    let response = sampler.sample(prompt.clone(), params.clone()).await?;
    let sequence = &response.sequences[0];
    assert!(!sequence.tokens.is_empty() && sequence.sequence_id.is_none());
    let logprobs = sampler.compute_logprobs(prompt.clone()).await?;
    assert_eq!((logprobs.len(), logprobs[0]), (4, None));

    // Tokens are not streamed, but all of them arrive.
    let events: Vec<_> = sampler.stream(prompt, params).collect().await;
    let events = events.into_iter().collect::<Result<Vec<_>, _>>()?;
    let [SampleEvent::Tokens { tokens, .. }, SampleEvent::Done(_)] = &events[..] else {
        return Err(format!("{events:?}").into());
    };
    assert_eq!(*tokens, sequence.tokens);

    // The server has no route to end a session and none to cancel a sample.
    drop(sampler.sample(
        ModelInput::from_tokens([1]),
        SamplingParams::default().with_max_tokens(3),
    ));
    service.close(FinishReason::Success).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_loaded_in_three_calls_where_the_server_wants_a_model()
-> Result<(), Box<dyn Error>> {
    let engine = older_engine()?;
    let loads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&loads);
    let service = ServiceClient::builder()
        .leaf(engine.service())
        .call_layer(from_fn(move |request: Request<Body>, next: Next| {
            if request.uri().path().ends_with("/load_weights") {
                count.fetch_add(1, Ordering::Relaxed);
            }
            next.run(request)
        }))
        .build()?;
    let first = service
        .create_lora_training_client(BASE, LoraConfig::new(8).with_seed(3))
        .await?;
    first
        .forward_backward(data(), Loss::cross_entropy())
        .await?;
    first.optim_step(AdamParams::new(1e-2)).await?;
    let saved = first.save_state("first").await?;
    let probe = first.forward(data(), Loss::cross_entropy()).await?;

    let second = service
        .create_training_client_from_state_with_optimizer(&saved.path)
        .await?;
    assert_eq!(loads.load(Ordering::Relaxed), 2, "one is refused");
    let loaded = second.forward(data(), Loss::cross_entropy()).await?;
    assert_eq!(loaded.logprobs(0), probe.logprobs(0));
    second
        .forward_backward(data(), Loss::cross_entropy())
        .await?;
    second.optim_step(AdamParams::new(1e-2)).await?;

    // Somebody else's checkpoint, also where keys are exchanged for tokens.
    engine.behave(|behavior| {
        behavior.client_config.pjwt_auth_enabled = true;
        behavior.token_lifetime = Some(std::time::Duration::from_mins(10));
    });
    let config = Config::new("http://in-process").with_api_key("tml-mine");
    let service = ServiceClient::builder()
        .config(config)
        .leaf(engine.service())
        .build()?;
    let options = LoadOptions::new(saved.path.to_string()).with_access_token("tml-theirs");
    let third = service.create_training_client_from_state(options).await?;
    let loaded = third.forward(data(), Loss::cross_entropy()).await?;
    assert_eq!(loaded.logprobs(0), probe.logprobs(0));
    Ok(())
}
