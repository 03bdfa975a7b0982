//! What the default stack costs per request, above the bare service it stands on.
//!
//! `cargo bench -p tinker-transport --no-default-features --bench stack`
//!
//! The leaf answers at once, or after being polled once more, so all that is measured is the
//! stack. The table at the end compares both in alternating rounds and gives medians, because on a
//! shared machine only a difference taken side by side means something. It also counts
//! allocations, which `tests/cost.rs` holds to their limit.
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

/// Answers at once.
fn quick() -> impl Leaf {
    tower::service_fn(|request: Request<Body>| async move {
        black_box(request);
        Ok(Response::new(Body::empty()))
    })
}

/// Answers when it is polled again, as anything that waits for a network does.
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

/// A request as a client makes them: a path just written, a body just encoded, a header.
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

/// Prints what the stack adds to `leaf`.
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

/// Time of one call, on average over a round. Requests are made beforehand.
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
