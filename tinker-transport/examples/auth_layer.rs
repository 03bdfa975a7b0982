//! A layer that signs each try, for a gateway that requires more than `X-API-Key`.
//!
//! Written as a complete `tower` layer to show its parts; `layer::from_fn` is shorter.

use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::task::{Context, Poll};

use http::{HeaderValue, Request};
use tinker_transport::testing::Script;
use tinker_transport::{Body, HttpService, TransportBuilder, TransportConfig};
use tower::{Layer, Service};

#[derive(Clone)]
struct SignLayer {
    secret: &'static str,
}

#[derive(Clone)]
struct Sign<S> {
    inner: S,
    secret: &'static str,
}

impl<S> Layer<S> for SignLayer {
    type Service = Sign<S>;

    fn layer(&self, inner: S) -> Sign<S> {
        let secret = self.secret;
        Sign { inner, secret }
    }
}

impl<S: HttpService> Service<Request<Body>> for Sign<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> S::Future {
        // A real signature is an HMAC; this one only shows where it goes.
        let mut hasher = DefaultHasher::new();
        (self.secret, request.uri().path(), request.body().as_bytes()).hash(&mut hasher);
        let mut value = HeaderValue::from(hasher.finish());
        value.set_sensitive(true); // neither logged nor recorded
        request.headers_mut().insert("x-signature", value);
        self.inner.call(request)
    }
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let script = Script::new().answer(200, "");
    let transport = TransportBuilder::from_config(TransportConfig::new("http://gateway"))
        .attempt_layer(SignLayer { secret: "s" })
        .leaf(script.clone())
        .build()?;
    let request = Request::post("/api/v1/asample").body(Body::from("{}"))?;
    transport.call(request).await?;
    assert!(script.requests()[0].headers().contains_key("x-signature"));
    Ok(())
}
