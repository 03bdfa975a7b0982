//! Errors: which to correct, which to try again, and how to end a wait.

use std::error::Error as StdError;
use std::time::Duration;

use tinker_client::testing::{Failure, MockServer};
use tinker_client::transport::policy::{Backoff, Policy, Standard};
use tinker_client::types::SampleRequest;
use tinker_client::{Datum, Error, LoraConfig, Loss, SamplingClient, SamplingParams};

/// Draws again after errors that may pass: a draw that the server failed is not repeated by the client.
async fn sample(sampler: &SamplingClient, mut draws: usize) -> Result<Vec<u32>, Error> {
    loop {
        draws -= 1;
        let drawn = sampler.sample([72, 105], SamplingParams::default());
        match drawn.within(Duration::from_mins(1)).await {
            Ok(mut answer) => return Ok(answer.sequences.remove(0).tokens),
            Err(error) if error.is_retryable() && draws > 0 => {}
            Err(error) => return Err(error),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn StdError>> {
    let server = MockServer::new();
    // Short waits, so that this program takes milliseconds.
    let short = Backoff::new(Duration::from_millis(1), Duration::from_millis(5));
    let policy = Standard::new().with_backoff(short).with_attempt_limit(3);
    let builder = server.builder();
    let builder = builder.configure_transport(move |stack| stack.with_policy_for_all(policy));
    let service = builder.build()?;
    let training = service
        .create_lora_training_client("mock", LoraConfig::new(4))
        .await?;
    let sampler = service.create_sampling_client("mock").await?;

    // Found before anything is sent, with the place and the fix.
    let data = vec![Datum::supervised(&[1], &[2]), Datum::supervised(&[1], &[])];
    let refused = training.forward_backward(data, Loss::cross_entropy()).await;
    let error = refused.err().ok_or("the completion is empty")?;
    assert!(
        error.is_user_error() && error.to_string().contains("data[1]"),
        "{error}"
    );

    // Refused by the server: a repeat would change nothing, so there is none.
    server.fail::<SampleRequest>(Failure::Status(400, "the prompt is too long".to_owned()));
    let error = sample(&sampler, 3).await.err().ok_or("refused")?;
    assert!(error.is_user_error() && !error.is_retryable(), "{error}");
    assert_eq!(server.received::<SampleRequest>().len(), 1);

    // Lost connections are retried by the client, as often as the policy allows.
    server.fail::<SampleRequest>(Failure::Unreachable);
    server.fail::<SampleRequest>(Failure::Unreachable);
    assert_eq!(sample(&sampler, 1).await?, [0]);
    assert_eq!(server.received::<SampleRequest>().len(), 4);
    Ok(())
}
