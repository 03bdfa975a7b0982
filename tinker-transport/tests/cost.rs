//! Allocations that the default stack adds to a request. A separate program, because counting
//! replaces the allocator.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::convert::Infallible;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use http::{HeaderValue, Request, Response};
use tinker_transport::{
    ApiKey, Body, Call, Class, Replay, Transport, TransportBuilder, TransportConfig,
};
use tower::ServiceExt;

const LIMIT: u64 = 5;

async fn leaf(_: Request<Body>) -> Result<Response<Body>, Infallible> {
    Ok(Response::new(Body::empty()))
}

fn stack() -> Transport {
    let config =
        TransportConfig::new("https://tinker.example.com").with_credential(ApiKey::new("tml-key"));
    TransportBuilder::from_config(config)
        .leaf(tower::service_fn(leaf))
        .build()
        .unwrap()
}

fn request(class: Class, own_headers: &[&'static str]) -> Request<Body> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for name in own_headers {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static("value"),
        );
    }
    let call = Call::new("optim_step", class).with_replay(Replay::Safe);
    let mut request = Request::post("/api/v1/optim_step")
        .extension(call)
        .body(Body::from(b"{\"seq_id\":1}".to_vec()))
        .unwrap();
    *request.headers_mut() = headers;
    request
}

/// Allocations of each of a hundred calls.
fn allocations(make: impl Fn() -> Request<Body>, is_bare: bool) -> Vec<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let transport = stack();
    // The first call sets up shared state.
    runtime.block_on(transport.call(make())).unwrap();
    let count = |request| {
        allocation_counter::measure(|| {
            let answer = runtime.block_on(async {
                if is_bare {
                    tower::service_fn(leaf).oneshot(request).await.unwrap()
                } else {
                    transport.call(request).await.unwrap()
                }
            });
            drop(answer);
        })
        .count_total
    };
    (0..100).map(|_| count(make())).collect()
}

#[test]
fn the_default_stack_adds_at_most_five_allocations() {
    type Make = Box<dyn Fn() -> Request<Body>>;
    let client = ["x-sdk-version", "x-sdk-method"];
    let cases: [(&str, Make); 5] = [
        ("train", Box::new(|| request(Class::Train, &[]))),
        ("sample", Box::new(|| request(Class::Sample, &[]))),
        (
            "train, as the client",
            Box::new(move || request(Class::Train, &client)),
        ),
        (
            "sample, as the client",
            Box::new(move || request(Class::Sample, &client)),
        ),
        (
            "bare request",
            Box::new(|| Request::post("/a").body(Body::empty()).unwrap()),
        ),
    ];
    for (name, make) in cases {
        assert_eq!(allocations(&make, true).iter().max(), Some(&0), "{name}");
        let mut counts = allocations(&make, false);
        counts.sort_unstable();
        // One call in 64 writes the next sheet of idempotency keys.
        let (usual, most) = (counts[50], counts[99]);
        assert!(
            usual <= LIMIT && most <= LIMIT + 2,
            "{name}: {usual}, at most {most}"
        );
    }
}
