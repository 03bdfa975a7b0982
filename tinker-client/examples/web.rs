//! A web service with a sampler in its state. Serve the router with `axum::serve(listener, app)`.

use std::error::Error;
use std::time::Duration;

use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::routing::post;
use axum::{Router, body::Body};
use tinker_client::{SamplingClient, SamplingParams, ServiceClient};
use tinker_local::LocalEngine;
use tower::ServiceExt;

/// A client is cheap to clone and may live as long as the process: it reopens a lost session by itself.
#[derive(Clone)]
struct App {
    sampler: SamplingClient,
}

/// Continues the text of the body. If the browser goes away, axum drops this future, which cancels the sample.
async fn complete(State(app): State<App>, text: String) -> Result<String, (StatusCode, String)> {
    let prompt: Vec<u32> = text.bytes().map(u32::from).collect();
    let params = SamplingParams::default().with_max_tokens(8).with_seed(1);
    let sample = app.sampler.sample(prompt, params);
    let sample = sample.within(Duration::from_secs(30));
    let answer = sample.await.map_err(|error| answer_for(&error))?;
    // The built-in model reads bytes.
    let tokens = answer.sequences[0].tokens.iter();
    Ok(tokens.filter_map(|token| char::from_u32(*token)).collect())
}

/// The fault of the request, or of the service. Only the first is for the browser; the second is for the log.
fn answer_for(error: &tinker_client::Error) -> (StatusCode, String) {
    if error.is_user_error() {
        return (StatusCode::BAD_REQUEST, error.to_string());
    }
    tracing::error!(%error, "a sample failed");
    let advice = "try again later".to_owned();
    (StatusCode::SERVICE_UNAVAILABLE, advice)
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let sampler = service.create_sampling_client("tinker-local/tiny").await?;
    let app = Router::new().route("/complete", post(complete));
    let app = app.with_state(App { sampler });

    for (text, status) in [("The sky is", 200), ("", 400)] {
        let request = Request::post("/complete").body(Body::from(text))?;
        let response = app.clone().oneshot(request).await?;
        assert_eq!(response.status(), status, "{text:?}");
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await?;
        assert!(!body.is_empty());
    }
    Ok(())
}
