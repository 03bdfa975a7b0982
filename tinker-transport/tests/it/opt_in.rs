//! Optional layers of the default stack.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::{Request, Response};
use tinker_transport::layer::{AdaptiveLayer, BreakerLayer, HedgeLayer, from_fn};
use tinker_transport::policy::Never;
use tinker_transport::{
    Body, Call, Class, Kind, Metrics, Replay, Stage, Transport, TransportBuilder, TransportConfig,
};
use tokio::time::Instant;

/// Responds to the request with each number (from 0) with a status after some seconds.
fn server(
    answer: impl Fn(u32) -> (u16, u64) + Clone + Send + Sync + 'static,
) -> (TransportBuilder, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    let leaf = tower::service_fn(move |_: Request<Body>| {
        let (status, seconds) = answer(counter.fetch_add(1, Ordering::SeqCst));
        async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            let response = Response::builder().status(status).body(Body::empty());
            Ok::<_, Infallible>(response.unwrap())
        }
    });
    let config = TransportConfig::new("http://engine.test").with_policy(Class::Rest, Never);
    (TransportBuilder::from_config(config).leaf(leaf), asked)
}

fn read() -> Request<Body> {
    let call = Call::new("list", Class::Rest).with_replay(Replay::Safe);
    Request::get("/api/v1/runs")
        .extension(call)
        .body(Body::empty())
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_switched_on_by_default() {
    let (builder, asked) = server(|_| (503, 50));
    let transport = builder.build().unwrap();
    for _ in 0..30 {
        assert_eq!(transport.call(read()).await.unwrap().status(), 503);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 30);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_from_the_settings_refuses_and_is_counted() {
    let (builder, asked) = server(|_| (503, 0));
    let metrics = Metrics::new();
    let watched = Arc::new(metrics.clone());
    let transport = builder
        .configure(|config| {
            config
                .with_breaker(BreakerLayer::per_class())
                .with_observer(watched)
        })
        .build()
        .unwrap();
    for _ in 0..10 {
        transport.call(read()).await.unwrap();
    }
    let error = transport.call(read()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.stage()),
        (Kind::Unavailable, Stage::NotSent)
    );
    assert_eq!(error.retry_after(), Some(Duration::from_secs(10)));
    assert_eq!(asked.load(Ordering::SeqCst), 10);
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.breakers_opened, 1);
    let list = &snapshot.operations["list"];
    assert_eq!((list.answered[5], list.failed), (10, 1));
}

#[tokio::test(start_paused = true)]
async fn a_hedge_from_the_settings_is_a_request_for_attempt_layers_but_one_attempt() {
    let (builder, _) = server(|n| if n == 0 { (201, 60) } else { (202, 1) });
    let (metrics, sent) = (Metrics::new(), Arc::new(AtomicU32::new(0)));
    let (watched, counter) = (Arc::new(metrics.clone()), Arc::clone(&sent));
    let transport = builder
        .configure(|config| {
            config
                .with_hedge(HedgeLayer::after(Duration::from_secs(2)))
                .with_observer(watched)
        })
        .attempt_layer(from_fn(move |request, next| {
            counter.fetch_add(1, Ordering::SeqCst);
            next.run(request)
        }))
        .build()
        .unwrap();
    let began = Instant::now();
    assert_eq!(transport.call(read()).await.unwrap().status(), 202);
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    assert_eq!(sent.load(Ordering::SeqCst), 2);
    let list = &metrics.snapshot().operations["list"];
    assert_eq!((list.attempts, list.hedges, list.hedges_won), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_adaptive_limit_from_the_settings_holds() {
    let (builder, asked) = server(|_| (200, 10));
    let layer = AdaptiveLayer::new().with_initial(3).with_range(1..=3);
    let transport: Transport = builder
        .configure(|config| config.with_adaptive(layer.clone()))
        .build()
        .unwrap();
    let calls: Vec<_> = (0..20)
        .map(|_| tokio::spawn(transport.call(read())))
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert_eq!(layer.limit(Class::Rest), Some(3));
    drop(calls);
}
