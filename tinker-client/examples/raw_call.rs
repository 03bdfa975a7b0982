//! An endpoint that the client has no method for, and a request field that it does not know.

use std::error::Error;

use http::{Request, Response};
use serde::Serialize;
use tinker_client::transport::layer::from_fn;
use tinker_client::transport::{Body, Call, Class, Replay};
use tinker_client::types::{Endpoint, Method};
use tinker_client::{SampleOptions, SamplingParams, ServiceClient};
use tinker_local::LocalEngine;

/// Scores a text. An endpoint of a newer server.
#[derive(Serialize)]
struct ScoreText {
    text: String,
}

impl Endpoint for ScoreText {
    type Response = serde_json::Value;
    const NAME: &'static str = "score_text";
    const METHOD: Method = Method::Post;
    const ROUTE: &'static str = "experimental/score";
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let engine = LocalEngine::builtin()?;
    // The engine lacks the endpoint; this layer answers for it.
    let newer = from_fn(|request: Request<Body>, next| async move {
        match request.uri().path() {
            "/api/v1/experimental/score" => Ok(Response::new(Body::from(r#"{"score": 0.5}"#))),
            _ => next.run(request).await,
        }
    });
    let builder = ServiceClient::builder().leaf(engine.service());
    let service = builder.attempt_layer(newer).build()?;

    let text = "hello".to_owned();
    let request = ScoreText { text };
    assert_eq!(service.call(&request).await?["score"], 0.5);

    // By default only GET requests are repeated after a lost connection. Scoring twice does no harm.
    let call = Call::new(ScoreText::NAME, Class::Rest).with_replay(Replay::Safe);
    let repeated = service.call(&request).with_call(call);
    repeated.with_extra("model", "small").await?;

    // Any request, any status, the body as a stream.
    let missing = Request::get("/api/v1/experimental/none").body(Body::empty())?;
    assert_eq!(service.send(missing).await?.status(), 404);

    // A field that the request type does not have.
    let sampler = service.create_sampling_client("tinker-local/tiny").await?;
    let params = SamplingParams::default().with_max_tokens(2);
    let options = SampleOptions::new(params).with_extra("priority", "low");
    sampler.sample([72, 105], options).await?;
    Ok(())
}
