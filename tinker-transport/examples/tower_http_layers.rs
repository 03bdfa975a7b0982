//! Layers of `tower` and `tower-http` in both slots of the default stack.

use std::error::Error;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Request};
use tinker_transport::testing::Script;
use tinker_transport::{Body, Call, Class, Replay, TransportBuilder, TransportConfig};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::timeout::TimeoutLayer;
use tower_http::set_header::SetRequestHeaderLayer;
use tower_http::trace::TraceLayer;

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let team = HeaderName::from_static("x-team");
    let script = Script::new().answer(503, "").answer(200, "done");
    let transport = TransportBuilder::from_config(TransportConfig::new("http://engine"))
        // Outside: once per call, retries included.
        .call_layer(TraceLayer::new_for_http())
        .call_layer(GlobalConcurrencyLimitLayer::new(8))
        // Inside: once per try.
        .attempt_layer(SetRequestHeaderLayer::overriding(
            team,
            HeaderValue::from_static("blue"),
        ))
        .attempt_layer(TimeoutLayer::new(Duration::from_secs(9)))
        .leaf(script.clone())
        .build()?;

    let call = Call::new("optim_step", Class::Train).with_replay(Replay::Safe);
    let request = Request::post("/api/v1/optim_step")
        .extension(call)
        .body(Body::from("{}"))?;
    let body = transport.call(request).await?.into_body();
    assert_eq!(body.collect(100).await?, "done");
    let requests = script.requests();
    assert!(
        requests
            .iter()
            .all(|request| request.headers()["x-team"] == "blue")
    );
    assert_eq!(requests.len(), 2);
    Ok(())
}
