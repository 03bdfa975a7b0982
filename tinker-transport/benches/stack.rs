//! Cost of the default stack per request, above the bare service.
//!
//! `cargo bench -p tinker-transport --no-default-features --bench stack`
//!
//! The leaf responds immediately, or after one more poll, so only the stack is measured. The table at the end compares
//! both in alternating rounds and prints medians, because on a shared machine only side-by-side differences are
//! meaningful. It also counts allocations, whose limit `tests/cost.rs` enforces.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a program that measures"
)]

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use tinker_transport::{
    ApiKey, Body, Call, Class, Metrics, Observers, Replay, Transport, TransportBuilder,
    TransportConfig,
};
use tokio::runtime::Runtime;
use tower::{Service, ServiceExt};

const ROUNDS: usize = 301;
const CALLS: usize = 400;

/// Responds immediately.
fn quick() -> impl Leaf {
    tower::service_fn(|request: Request<Body>| async move {
        black_box(request);
        Ok(Response::new(Body::empty()))
    })
}

/// Responds on the second poll, like a service that waits for a network.
fn waiting() -> impl Leaf {
    tower::service_fn(|request: Request<Body>| async move {
        tokio::task::yield_now().await;
        black_box(request);
        Ok(Response::new(Body::empty()))
    })
}

trait Leaf:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Leaf for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

fn stack(leaf: impl Leaf, observers: Observers) -> Transport {
    let mut config =
        TransportConfig::new("https://tinker.example.com").with_credential(ApiKey::new("tml-key"));
    config.observers = observers;
    TransportBuilder::from_config(config)
        .leaf(leaf)
        .build()
        .expect("a stack over a leaf of its own")
}

/// A request as a client makes them: a new path, a new body, a header.
fn request(class: Class) -> Request<Body> {
    let call = Call::new("optim_step", class).with_replay(Replay::Safe);
    Request::post("/api/v1/optim_step")
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .extension(call)
        .body(Body::from(b"{\"seq_id\":1}".to_vec()))
        .expect("a request")
}

fn criterion(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("stack");
    group.bench_function("bare leaf", |bencher| {
        let leaf = quick();
        bencher.iter_batched(
            || request(Class::Train),
            |request| drop(black_box(runtime.block_on(leaf.clone().oneshot(request)))),
            BatchSize::SmallInput,
        );
    });
    for class in [Class::Train, Class::Sample] {
        let transport = stack(quick(), Observers::new());
        group.bench_function(format!("default, {class}"), |bencher| {
            bencher.iter_batched(
                || request(class),
                |request| drop(black_box(runtime.block_on(transport.call(request)))),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
    println!("above the bare leaf, medians of {ROUNDS} alternating rounds of {CALLS} calls:");
    let (nobody, metrics) = (Observers::new(), Observers::new());
    metrics.attach(Arc::new(Metrics::new()));
    for class in [Class::Train, Class::Sample] {
        compare(&runtime, "answers at once", class, &quick(), &nobody);
        compare(&runtime, "answers later", class, &waiting(), &nobody);
        compare(&runtime, "with metrics", class, &quick(), &metrics);
    }
}

/// Prints the cost of the stack on `leaf`.
fn compare(runtime: &Runtime, name: &str, class: Class, leaf: &impl Leaf, observers: &Observers) {
    let transport = stack(leaf.clone(), observers.clone());
    let mut bare = Vec::with_capacity(ROUNDS);
    let mut whole = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        bare.push(round(runtime, class, |request| {
            leaf.clone().oneshot(request)
        }));
        whole.push(round(runtime, class, |request| transport.call(request)));
    }
    let (bare, whole) = (median(bare), median(whole));
    let allocations = allocation_counter::measure({
        let request = request(class);
        || drop(black_box(runtime.block_on(transport.call(request))))
    });
    println!(
        "  {name:>15}, {class:<8} {:>5.2} us ({:.2} less {:.2}), {} allocations, {} bytes",
        (whole.saturating_sub(bare)).as_secs_f64() * 1e6,
        whole.as_secs_f64() * 1e6,
        bare.as_secs_f64() * 1e6,
        allocations.count_total,
        allocations.bytes_total,
    );
}

/// Mean time of one call in a round. Requests are created beforehand.
fn round<F: Future>(
    runtime: &Runtime,
    class: Class,
    call: impl Fn(Request<Body>) -> F,
) -> Duration {
    let requests: Vec<_> = (0..CALLS).map(|_| request(class)).collect();
    runtime.block_on(async {
        let began = Instant::now();
        for request in requests {
            drop(black_box(call(request).await));
        }
        began.elapsed() / CALLS as u32
    })
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

criterion_group!(benches, criterion);
criterion_main!(benches);
