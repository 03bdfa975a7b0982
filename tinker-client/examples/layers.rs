//! Layers in both slots: one round each call, one round each of its attempts. Any layer of tower fits as well.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode};
use tinker_client::transport::layer::{Next, from_fn_with_state};
use tinker_client::transport::policy::{Backoff, Standard};
use tinker_client::transport::{Body, Call, TransportError};
use tinker_client::{SamplingParams, ServiceClient};
use tinker_local::LocalEngine;

type Answer = Result<Response<Body>, TransportError>;

/// Counts samples and names the team that pays for a request.
async fn bill(samples: Arc<AtomicUsize>, mut request: Request<Body>, next: Next) -> Answer {
    if Call::of(&request).operation == "asample" {
        samples.fetch_add(1, Ordering::Relaxed);
    }
    let team = HeaderValue::from_static("blue");
    request.headers_mut().insert("x-team", team);
    next.run(request).await
}

/// Refuses the first attempt of a sample, as a proxy that restarts would.
async fn restarting(tries: Arc<AtomicUsize>, request: Request<Body>, next: Next) -> Answer {
    let is_sample = Call::of(&request).operation == "asample";
    if is_sample && tries.fetch_add(1, Ordering::Relaxed) == 0 {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        return Ok(response);
    }
    next.run(request).await
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let (samples, tries) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let engine = LocalEngine::builtin()?;
    let short = Backoff::new(Duration::from_millis(1), Duration::from_millis(5));
    let service = ServiceClient::builder()
        .leaf(engine.service())
        .call_layer(from_fn_with_state(Arc::clone(&samples), bill))
        .attempt_layer(from_fn_with_state(Arc::clone(&tries), restarting))
        .configure_transport(move |stack| {
            stack.with_policy_for_all(Standard::new().with_backoff(short))
        })
        .build()?;
    let sampler = service.create_sampling_client("tinker-local/tiny").await?;
    let params = SamplingParams::default().with_max_tokens(4);
    let answer = sampler.sample([72, 105], params).await?;
    assert_eq!(answer.sequences.len(), 1);
    assert_eq!(samples.load(Ordering::Relaxed), 1, "one call");
    assert_eq!(tries.load(Ordering::Relaxed), 2, "two attempts");
    Ok(())
}
