//! Guarantees for authors of layers.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::Full;
use tinker_transport::policy::Effort;
use tinker_transport::{
    ApiKey, Body, Call, Class, Credential, Event, Observer, Replay, Transport, TransportBuilder,
    TransportConfig, layer,
};
use tokio::time::Instant;
use tower::{Service, ServiceExt};
use tower_http::set_header::SetRequestHeaderLayer;

fn config() -> TransportConfig {
    TransportConfig::new("http://engine.test/prefix").with_credential(ApiKey::new("tml-hunter2"))
}

/// An in-process engine with its own body type, which fails twice before it succeeds.
fn flaky(
    check: impl Fn(&Request<Body>) + Clone + Send + Sync + 'static,
) -> impl Service<
    Request<Body>,
    Response = Response<Full<bytes::Bytes>>,
    Error = Infallible,
    Future: Send + 'static,
> + Clone
+ Send
+ Sync
+ 'static {
    let asked = Arc::new(AtomicU32::new(0));
    tower::service_fn(move |request: Request<Body>| {
        check(&request);
        let status = if asked.fetch_add(1, Ordering::SeqCst) < 2 {
            503
        } else {
            200
        };
        async move {
            Ok(Response::builder()
                .status(status)
                .body(Full::from("answer"))
                .unwrap())
        }
    })
}

fn step() -> Request<Body> {
    let call = Call::new("optim_step", Class::Train).with_replay(Replay::Safe);
    Request::post("/api/v1/optim_step")
        .extension(call)
        .body(Body::from("{}"))
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_whole_stack_works_over_an_engine_in_this_process() {
    let leaf = flaky(|request| {
        assert_eq!(request.uri(), "http://engine.test/prefix/api/v1/optim_step");
        assert_eq!(request.headers()["x-api-key"], "tml-hunter2");
        assert!(
            request.headers()["user-agent"]
                .to_str()
                .unwrap()
                .starts_with("tinker-rust/")
        );
        assert!(request.headers().contains_key("x-idempotency-key"));
    });
    let transport = TransportBuilder::from_config(config())
        .leaf(leaf)
        .build()
        .unwrap();
    let began = Instant::now();
    let response = transport.call(step()).await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    assert_eq!(response.extensions().get::<Effort>().unwrap().attempts, 3);
    assert_eq!(response.into_body().collect(100).await.unwrap(), "answer");
}

#[tokio::test(start_paused = true)]
async fn a_call_layer_sees_one_call_and_an_attempt_layer_every_try() {
    fn counting(
        counter: &Arc<AtomicU32>,
    ) -> layer::FromFnLayer<
        impl Fn(Request<Body>, layer::Next) -> tinker_transport::ResponseFuture
        + Clone
        + Send
        + Sync
        + 'static,
    > {
        let counter = Arc::clone(counter);
        layer::from_fn(move |request: Request<Body>, next: layer::Next| {
            counter.fetch_add(1, Ordering::SeqCst);
            // Credentials are attached further in: no layer of a user meets one by accident.
            assert!(!request.headers().contains_key("x-api-key"));
            Box::pin(next.run(request)) as tinker_transport::ResponseFuture
        })
    }
    let (calls, tries) = (Arc::default(), Arc::default());
    let transport = TransportBuilder::from_config(config())
        .call_layer(counting(&calls))
        .attempt_layer(counting(&tries))
        .leaf(flaky(|_| {}))
        .build()
        .unwrap();
    transport.call(step()).await.unwrap();
    assert_eq!(
        (calls.load(Ordering::SeqCst), tries.load(Ordering::SeqCst)),
        (1, 3)
    );
}

#[tokio::test(start_paused = true)]
async fn layers_of_tower_and_tower_http_fit_both_slots_and_a_finished_transport() {
    let set = |name: &'static str| {
        SetRequestHeaderLayer::appending(
            HeaderName::from_static(name),
            HeaderValue::from_static("1"),
        )
    };
    let leaf = flaky(|request| {
        for name in ["x-call", "x-attempt", "x-finished"] {
            assert_eq!(request.headers().get_all(name).iter().count(), 1, "{name}");
        }
    });
    let transport = TransportBuilder::from_config(config())
        .call_layer(set("x-call"))
        .call_layer(tower_http::trace::TraceLayer::new_for_http())
        .attempt_layer(set("x-attempt"))
        .attempt_layer(tower_http::trace::TraceLayer::new_for_http())
        .attempt_layer(tower::timeout::TimeoutLayer::new(Duration::from_secs(9)))
        .leaf(leaf)
        .build()
        .unwrap()
        .layer(set("x-finished"));
    let response = transport.call(step()).await.unwrap();
    assert_eq!(response.into_body().collect(100).await.unwrap(), "answer");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_tower_per_attempt_is_understood_and_repeated() {
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    let stuck_once = tower::service_fn(move |_: Request<Body>| {
        let is_first = counter.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            if is_first {
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }
    });
    let transport = TransportBuilder::from_config(config())
        .attempt_layer(tower::timeout::TimeoutLayer::new(Duration::from_secs(9)))
        .leaf(stuck_once)
        .build()
        .unwrap();
    let began = Instant::now();
    assert!(transport.call(step()).await.unwrap().status().is_success());
    assert_eq!(
        began.elapsed(),
        Duration::from_secs(10),
        "9 s until the limit, 1 s of back-off"
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_layer_of_a_slot_is_the_outermost() {
    let mark = |letter: &'static str| {
        layer::from_fn(
            move |mut request: Request<Body>, next: layer::Next| async move {
                request
                    .headers_mut()
                    .append("x-path", HeaderValue::from_static(letter));
                next.run(request).await
            },
        )
    };
    let leaf = tower::service_fn(|request: Request<Body>| async move {
        let path: Vec<_> = request
            .headers()
            .get_all("x-path")
            .iter()
            .map(|v| v.to_str().unwrap().to_owned())
            .collect();
        Ok::<_, Infallible>(Response::new(Body::from(path.concat())))
    });
    let transport = TransportBuilder::from_config(config())
        .attempt_layer(mark("c"))
        .call_layer(mark("a"))
        .attempt_layer(mark("d"))
        .call_layer(mark("b"))
        .leaf(leaf)
        .build()
        .unwrap();
    let response = transport.call(step()).await.unwrap();
    assert_eq!(response.into_body().collect(100).await.unwrap(), "abcd");
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_waits_for_a_permit_of_its_own_above_retry_does_not_block() {
    // Eight calls, two permits in the user's layer outside, one below retry.
    let transport = TransportBuilder::from_config(config())
        .call_layer(tower::limit::GlobalConcurrencyLimitLayer::new(2))
        .attempt_layer(tower::limit::GlobalConcurrencyLimitLayer::new(1))
        .leaf(flaky(|_| {}))
        .build()
        .unwrap();
    let calls: Vec<_> = (0..8)
        .map(|_| tokio::spawn(transport.call(step())))
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_stack_from_the_same_builder_shares_the_leaf() {
    let builder = TransportBuilder::from_config(config()).leaf(flaky(|_| {}));
    let first = builder.clone().build().unwrap();
    let second = builder
        .configure(|config| config.with_credential(ApiKey::new("tml-other")))
        .build()
        .unwrap();
    first.call(step()).await.unwrap();
    let response = second.call(step()).await.unwrap();
    assert!(
        response.extensions().get::<Effort>().is_none(),
        "the leaf has failed its two times"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_that_can_be_printed_shows_the_key() {
    #[derive(Default)]
    struct Log(std::sync::Mutex<String>);
    impl Observer for Log {
        fn observe(&self, event: &Event<'_>) {
            write!(self.0.lock().unwrap(), "{event:?}").unwrap();
        }
    }
    let seen = Arc::new(std::sync::Mutex::new(String::new()));
    let sink = Arc::clone(&seen);
    let leaf = tower::service_fn(move |request: Request<Body>| {
        assert_eq!(request.headers()["x-api-key"], "tml-hunter2");
        write!(sink.lock().unwrap(), "{request:?}").unwrap();
        async { Err::<Response<Body>, _>(std::io::Error::other("reset")) }
    });
    let log = Arc::new(Log::default());
    let mut headers = http::HeaderMap::new();
    headers.insert(
        "cf-access-client-secret",
        HeaderValue::from_static("hunter2"),
    );
    let config = config().with_headers(headers).with_observer(log.clone());
    let builder = TransportBuilder::from_config(config.clone()).leaf(leaf);
    let transport = builder.clone().build().unwrap();
    let error = transport.call(step()).await.unwrap_err();
    let token = ApiKey::new("tml-hunter2").token().await.unwrap();

    let mut printed = format!("{config:?} {builder:?} {transport:?} {error:?} {error} {token:?}");
    printed.push_str(&seen.lock().unwrap());
    printed.push_str(&log.0.lock().unwrap());
    assert!(printed.contains("Sensitive") && printed.contains("optim_step"));
    assert!(!printed.contains("hunter2"), "{printed}");
}

#[tokio::test]
async fn a_transport_is_a_service_itself() {
    let transport = Transport::new(flaky(|_| {}));
    let mut service = transport.map_response(|response| response.status().as_u16());
    assert_eq!(
        service.ready().await.unwrap().call(step()).await.unwrap(),
        503
    );
}
