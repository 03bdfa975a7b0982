//! A stack whose credential is exchanged for tokens over another stack.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, Response};
use tinker_transport::policy::Effort;
use tinker_transport::{
    ApiKey, Body, Call, Class, Exchange, Replay, Transport, TransportBuilder, TransportConfig,
};

/// Requests to the server: path, key, idempotency key.
type Asked = Arc<Mutex<Vec<(String, String, String)>>>;

/// A token with a lifetime of an hour; `number` distinguishes it from others.
fn jwt(number: usize) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "the server of this test issues tokens for now"
    )]
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let claims = format!(r#"{{"iat":{now},"exp":{},"n":{number}}}"#, now + 3600);
    format!(
        "{}.{}.x",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
        URL_SAFE_NO_PAD.encode(claims)
    )
}

/// A server that issues tokens for the raw key and accepts the latest, starting with the `good`th.
fn server(good: usize) -> (TransportBuilder, Asked) {
    let asked = Asked::default();
    let (log, issued) = (
        Arc::clone(&asked),
        Arc::new(Mutex::new(Vec::<String>::new())),
    );
    let leaf = tower::service_fn(move |request: Request<Body>| {
        let header = |name| {
            request
                .headers()
                .get(name)
                .map_or("", |value| value.to_str().unwrap())
                .to_owned()
        };
        let (path, key) = (request.uri().path().to_owned(), header("x-api-key"));
        log.lock()
            .unwrap()
            .push((path.clone(), key.clone(), header("x-idempotency-key")));
        let mut issued = issued.lock().unwrap();
        let response = if path == "/api/v1/auth/token" {
            assert_eq!(key, "tml-raw");
            let number = issued.len();
            issued.push(jwt(number));
            let body = format!(r#"{{"jwt":"{}"}}"#, issued[issued.len() - 1]);
            Response::builder().body(Body::from(body))
        } else if issued.len() >= good && issued.last() == Some(&key) {
            Response::builder().body(Body::from("done"))
        } else {
            let why = r#"Bearer realm="tinker", error="invalid_token""#;
            Response::builder()
                .status(401)
                .header("www-authenticate", why)
                .body(Body::empty())
        };
        async { response }
    });
    (
        TransportBuilder::from_config(TransportConfig::new("http://server.test")).leaf(leaf),
        asked,
    )
}

fn stack(builder: &TransportBuilder) -> Transport {
    let raw = ApiKey::new("tml-raw");
    let carrier = builder
        .clone()
        .configure(|config| config.with_credential(raw.clone()))
        .build()
        .unwrap();
    let exchange = Exchange::new(carrier).with_fingerprint_of(&raw);
    builder
        .clone()
        .configure(|config| config.with_credential(exchange))
        .build()
        .unwrap()
}

async fn step(transport: &Transport) -> Response<Body> {
    let call = Call::new("optim_step", Class::Train).with_replay(Replay::Safe);
    let request = Request::post("/api/v1/optim_step")
        .extension(call)
        .body(Body::from("{}"))
        .unwrap();
    transport.call(request).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_first_request_fetches_a_token_and_the_next_uses_it() {
    let (builder, asked) = server(1);
    let transport = stack(&builder);
    assert!(step(&transport).await.status().is_success());
    tokio::time::advance(Duration::from_mins(5)).await;
    assert!(step(&transport).await.status().is_success());
    let asked = asked.lock().unwrap();
    let paths: Vec<_> = asked
        .iter()
        .map(|(path, ..)| path.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(paths, ["token", "optim_step", "optim_step"]);
    assert!(
        asked[1].1.starts_with("eyJ"),
        "the token goes into the same header"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rejected_token_is_exchanged_within_one_attempt() {
    let (builder, asked) = server(2);
    let response = step(&stack(&builder)).await;
    assert_eq!(response.status(), 200);
    assert!(response.extensions().get::<Effort>().is_none());
    let asked = asked.lock().unwrap();
    let paths: Vec<_> = asked
        .iter()
        .map(|(path, ..)| path.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(paths, ["token", "optim_step", "token", "optim_step"]);
    assert_eq!(asked[1].2, asked[3].2, "the same idempotency key");
    assert_ne!(asked[1].1, asked[3].1, "another token");
}
