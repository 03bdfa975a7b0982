//! Redirects of the whole stack, with layers of the user and without.

use http::{Request, Response};
use tinker_transport::layer::{Next, from_fn};
use tinker_transport::testing::Script;
use tinker_transport::{ApiKey, Body, Call, Class, Transport, TransportBuilder, TransportConfig};

const HOME: &str = "https://home.test";

fn transport(script: &Script, has_layer: bool) -> Transport {
    let mut headers = http::HeaderMap::new();
    headers.insert("x-configured", "hunter2".parse().unwrap());
    let config = TransportConfig::new(HOME)
        .with_credential(ApiKey::new("hunter2"))
        .with_headers(headers);
    let mut builder = TransportBuilder::from_config(config).leaf(script.clone());
    if has_layer {
        builder = builder.attempt_layer(from_fn(
            |mut request: Request<Body>, next: Next| async move {
                request.headers_mut().insert("x-mine", "1".parse().unwrap());
                next.run(request).await
            },
        ));
    }
    builder.build().unwrap()
}

/// Sends a request that is redirected to each target in turn. Returns what was sent: the URI, and whether it had the key.
async fn sent(request: &Request<Body>, targets: &[(u16, &str)]) -> Vec<(String, bool)> {
    let mut all = Vec::new();
    for has_layer in [false, true] {
        let mut script = Script::new();
        for (status, target) in targets {
            let answer = Response::builder()
                .status(*status)
                .header("location", *target);
            script = script.respond(answer.body(Body::empty()).unwrap());
        }
        let script = script.answer(200, "");
        let mut again = Request::new(request.body().try_clone().unwrap());
        again.method_mut().clone_from(request.method());
        again.uri_mut().clone_from(request.uri());
        again.extensions_mut().insert(Call::new("x", Class::Rest));
        let answer = transport(&script, has_layer).call(again).await.unwrap();
        assert_eq!(answer.status(), 200);
        let seen = script.requests().into_iter().map(|sent| {
            let has_key = sent.headers().contains_key("x-api-key");
            assert_eq!(sent.headers().contains_key("x-configured"), has_key);
            (format!("{} {}", sent.method(), sent.uri()), has_key)
        });
        all.push(seen.collect::<Vec<_>>());
    }
    assert_eq!(all[0], all[1]);
    all.remove(0)
}

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn the_key_does_not_come_back_with_a_redirect_from_another_server() {
    let targets = [
        (302, "https://elsewhere.test/b"),
        (302, "https://home.test/c"),
        (302, "/d"),
    ];
    let expected = [
        ("GET https://home.test/a".to_owned(), true),
        ("GET https://elsewhere.test/b".to_owned(), false),
        ("GET https://home.test/c".to_owned(), false),
        ("GET https://home.test/d".to_owned(), false),
    ];
    assert_eq!(sent(&get("/a"), &targets).await, expected);
}

#[tokio::test]
async fn a_request_to_another_server_gets_no_key_after_a_redirect_there() {
    let targets = [(302, "/b"), (307, "https://home.test/c")];
    let expected = [
        ("GET https://elsewhere.test/a".to_owned(), false),
        ("GET https://elsewhere.test/b".to_owned(), false),
        ("GET https://home.test/c".to_owned(), false),
    ];
    let request = get("https://elsewhere.test/a");
    assert_eq!(sent(&request, &targets).await, expected);
}

#[tokio::test]
async fn what_a_redirect_made_of_a_request_stays() {
    let targets = [(303, "/b"), (307, "https://home.test/c")];
    let expected = [
        ("POST https://home.test/a".to_owned(), true),
        ("GET https://home.test/b".to_owned(), true),
        ("GET https://home.test/c".to_owned(), true),
    ];
    let request = Request::post("/a").body(Body::from("{}")).unwrap();
    assert_eq!(sent(&request, &targets).await, expected);
}
