//! A marked key is sent through every path of this crate, and found only in the header to the configured
//! server.

use std::error::Error;
use std::fmt::{Debug, Write as _};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, Response};
use tinker_transport::layer::{AdaptiveLayer, BreakerLayer, HedgeLayer};
use tinker_transport::policy::{Backoff, Policy, Standard};
use tinker_transport::testing::{Cassette, Fault, FaultLayer, RecordLayer, Scrub};
use tinker_transport::{
    ApiKey, Body, Call, Class, Command, Credential, Event, Exchange, Gate, Metrics, Replay,
    Transport, TransportBuilder, TransportConfig, TransportError,
};

const MARK: &str = "hunter2";
const KEY: &str = "tml-hunter2-key";

/// All output, by source.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<(String, String)>>>);

impl Ear {
    fn hear(&self, who: &str, text: impl Into<String>) {
        self.0.lock().unwrap().push((who.into(), text.into()));
    }

    fn look(&self, who: &str, value: &dyn Debug) {
        self.hear(who, format!("{value:?} {value:#?}"));
    }

    /// An error with all its causes, in both formats.
    fn fear(&self, who: &str, error: &(dyn Error + 'static)) {
        let mut text = String::new();
        let mut next = Some(error);
        while let Some(error) = next {
            write!(text, "{error} {error:?} ").unwrap();
            next = error.source();
        }
        self.hear(who, text);
    }

    fn check(&self, sources: &[&str]) {
        let heard = self.0.lock().unwrap();
        for source in sources {
            let said = heard
                .iter()
                .any(|(who, text)| who == source && !text.trim().is_empty());
            assert!(said, "{source} was never heard");
        }
        for (who, text) in &*heard {
            assert!(!text.contains(MARK), "{who} tells the key: {text}");
        }
    }
}

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.hear("trace", String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Responds as the path demands and reports the request; counts the keys it received at the configured origin.
fn server(
    ear: &Ear,
    keys: &Arc<Mutex<Vec<String>>>,
) -> impl tower::Service<Request<Body>, Response = Response<Body>, Error = TransportError, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    let (ear, keys) = (ear.clone(), Arc::clone(keys));
    tower::service_fn(move |request: Request<Body>| {
        ear.look("request", &request);
        let host = request.uri().host().unwrap_or_default().to_owned();
        let path = request.uri().path().to_owned();
        if host == "home.test" {
            let key = request.headers()["x-api-key"].to_str().unwrap();
            keys.lock().unwrap().push(key.to_owned());
        } else {
            for (name, value) in request.headers() {
                ear.hear(
                    "elsewhere",
                    format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())),
                );
            }
        }
        async move {
            let answer = Response::builder();
            let answer = match path.as_str() {
                "/away" => answer
                    .status(302)
                    .header("location", "https://elsewhere.test/a"),
                "/busy" => answer.status(429),
                "/down" => answer.status(503),
                "/denied" => answer
                    .status(401)
                    .header("www-authenticate", r#"Bearer error="invalid_token""#),
                "/silent" => std::future::pending().await,
                "/broken" => {
                    return Err(TransportError::from_boxed("reset by peer".into()));
                }
                "/api/v1/auth/token" => {
                    // A token that carries the mark, too.
                    let body = format!(r#"{{"jwt":"eyJ.{MARK}.c"}}"#);
                    return Ok(answer.body(body.into()).unwrap());
                }
                _ => answer.status(200),
            };
            Ok(answer.body(Body::empty()).unwrap())
        }
    })
}

fn config() -> TransportConfig {
    let quick = Standard::new()
        .with_backoff(Backoff::new(Duration::ZERO, Duration::ZERO))
        .with_attempt_limit(2);
    let mut headers = HeaderMap::new();
    headers.insert("x-gateway", HeaderValue::from_static("hunter2-gateway"));
    TransportConfig::new("https://home.test")
        .with_headers(headers)
        .with_policy(Class::Rest, quick)
        .with_breaker(BreakerLayer::per_origin().with_window(64).with_minimum(40))
        .with_adaptive(AdaptiveLayer::new())
        .with_hedge(HedgeLayer::after(Duration::from_secs(3)))
}

fn credentials(raw: &Transport) -> Vec<Arc<dyn Credential>> {
    vec![
        Arc::new(ApiKey::new(KEY)),
        Arc::new(Command::new(format!("echo {KEY}"))),
        Arc::new(Exchange::new(raw.clone())),
    ]
}

fn get(path: &str, class: Class) -> Request<Body> {
    let call = Call::new("get", class).with_replay(Replay::Safe);
    let request = Request::get(format!("{path}?token={KEY}")).extension(call);
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn the_key_goes_home_and_nowhere_else() {
    let (ear, keys) = (Ear::default(), Arc::default());
    let sink = ear.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(move || sink.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let folder = tempfile::tempdir().unwrap();
    let metrics = Metrics::new();
    let gate = Gate::new();

    let raw = TransportBuilder::from_config(config().with_credential(ApiKey::new(KEY)))
        .leaf(server(&ear, &keys))
        .build()
        .unwrap();
    for (number, credential) in credentials(&raw).into_iter().enumerate() {
        let events = ear.clone();
        let mut config = config()
            .with_logger()
            .with_observer(Arc::new(metrics.clone()))
            .with_observer(Arc::new(move |event: &Event<'_>| {
                events.look("event", event);
            }));
        config.credential = Some(Arc::clone(&credential));
        ear.look("config", &config);
        ear.look("credential", &credential);
        let in_slot = folder.path().join(format!("slot-{number}.jsonl"));
        let at_leaf = folder.path().join(format!("leaf-{number}.jsonl"));
        let record = |path| RecordLayer::create(path, Scrub::new()).unwrap();
        let leaf = Transport::new(server(&ear, &keys)).layer(record(&at_leaf));
        let faults = FaultLayer::script([None, Some(Fault::LoseAnswer), Some(Fault::ResetBefore)]);
        let builder = TransportBuilder::from_config(config)
            .gate(gate.clone())
            .attempt_layer(record(&in_slot))
            .attempt_layer(faults.clone())
            .leaf(leaf);
        ear.look("builder", &builder);
        let transport = builder.build().unwrap();
        ear.look("transport", &transport);

        // The query is the caller's own doing, and is not sent with these.
        for path in ["/ok", "/ok", "/away", "/down", "/denied", "/broken"] {
            let mut request = get(path, Class::Rest);
            *request.uri_mut() = path.parse().unwrap();
            answer(&ear, transport.call(request).await);
        }
        let mut sample = get("/busy", Class::Sample);
        *sample.uri_mut() = "/busy".parse().unwrap();
        let held = tokio::time::timeout(Duration::from_millis(50), transport.call(sample));
        held.await.unwrap_err();
        let call = Call::new("get", Class::Rest).with_timeout(Duration::from_millis(20));
        let silent = Request::get("/silent").extension(call).body(Body::empty());
        answer(&ear, transport.call(silent.unwrap()).await);
        let elsewhere = Request::get("https://elsewhere.test/b").body(Body::empty());
        answer(&ear, transport.call(elsewhere.unwrap()).await);
        for path in [in_slot, at_leaf] {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.lines().count() > 8, "{text}");
            ear.hear("cassette", text);
            let cassette = Cassette::load(path).unwrap();
            ear.look("cassette", &cassette);
            let player = cassette.strict();
            answer(
                &ear,
                Transport::new(player.clone())
                    .call(get("/x", Class::Rest))
                    .await,
            );
            ear.look("player", &player);
        }
        ear.look("fault", &faults);
        if let Ok(token) = credential.token().await {
            ear.look("token", &token);
        }
    }
    ear.look("gate", &gate);
    ear.look("metrics", &metrics);
    ear.hear("prometheus", metrics.snapshot().prometheus().to_string());
    ear.check(&[
        "request",
        "elsewhere",
        "trace",
        "event",
        "config",
        "credential",
        "builder",
        "transport",
        "answer",
        "error",
        "cassette",
        "player",
        "fault",
        "token",
        "gate",
        "metrics",
        "prometheus",
    ]);
    let keys = keys.lock().unwrap();
    assert!(keys.len() > 20 && keys.iter().all(|key| key.contains(MARK)));
    assert!(
        keys.iter().any(|key| key.starts_with("eyJ")),
        "exchanged ones, too"
    );
}

fn answer(ear: &Ear, result: Result<Response<Body>, TransportError>) {
    match result {
        Ok(response) => ear.look("answer", &response),
        Err(error) => ear.fear("error", &error),
    }
}

#[tokio::test]
async fn refused_keys_and_queries_are_not_told_either() {
    let ear = Ear::default();
    for credential in [
        Arc::new(ApiKey::new("tml-hunter2\nx")) as Arc<dyn Credential>,
        Arc::new(Command::new("hunter2-no-such-command")),
    ] {
        let mut config = TransportConfig::new("https://home.test");
        config.credential = Some(credential);
        let transport = TransportBuilder::from_config(config)
            .leaf(tinker_transport::testing::never())
            .build()
            .unwrap();
        answer(&ear, transport.call(get("/a", Class::Telemetry)).await);
    }
    let error = Transport::from_config(TransportConfig::new("https://me:hunter2@home.test"));
    ear.fear("error", &error.unwrap_err());
    // A query may contain another token, so errors of the network do not show it.
    #[cfg(feature = "network")]
    {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let config = TransportConfig::new(url).with_credential(ApiKey::new(KEY));
        let transport = Transport::from_config(config).unwrap();
        answer(&ear, transport.call(get("/a", Class::Telemetry)).await);
    }
    ear.check(&["error"]);
}
