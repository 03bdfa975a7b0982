//! A layer that caches responses to reads.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Request, Response};
use tinker_transport::layer::{Next, from_fn};
use tinker_transport::testing::Script;
use tinker_transport::{Body, Transport, TransportBuilder, TransportConfig, TransportError};

/// Largest response to cache.
const LARGEST: u64 = 1 << 20;

type Cache = Arc<Mutex<HashMap<String, Bytes>>>;

async fn cached(
    cache: Cache,
    request: Request<Body>,
    next: Next,
) -> Result<Response<Body>, TransportError> {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let key = request.uri().to_string();
    let lock = || cache.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(body) = lock().get(&key).cloned() {
        return Ok(Response::new(Body::from(body)));
    }
    let (head, body) = next.run(request).await?.into_parts();
    if !head.status.is_success() || body.exact_len().is_none_or(|length| length > LARGEST) {
        return Ok(Response::from_parts(head, body)); // streams pass as they are
    }
    let body = body.collect(LARGEST).await?;
    lock().insert(key, body.clone());
    Ok(Response::from_parts(head, Body::from(body)))
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let cache = Cache::default();
    let layer = from_fn(move |request, next| cached(Arc::clone(&cache), request, next));
    // A call layer: a hit needs no permit, no retry and no credential.
    let script = Script::new().answer(200, "capabilities");
    let transport: Transport = TransportBuilder::from_config(TransportConfig::new("http://engine"))
        .call_layer(layer)
        .leaf(script.clone())
        .build()?;
    for _ in 0..3 {
        let request = Request::get("/api/v1/get_server_capabilities").body(Body::empty())?;
        let body = transport.call(request).await?.into_body();
        assert_eq!(body.collect(LARGEST).await?, "capabilities");
    }
    assert_eq!(script.requests().len(), 1);
    Ok(())
}
