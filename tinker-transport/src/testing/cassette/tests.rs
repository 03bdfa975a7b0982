use std::error::Error as _;
use std::time::Duration;

use http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::{HeaderValue, Request, Response};

use super::exchange::HEAD;
use super::*;
use crate::body::Body;
use crate::error::{Kind, Stage, TransportError};
use crate::fixture::{chunks, leaf};
use crate::stack::transport::Transport;
use crate::testing::Script;

fn post(path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(path).body(body.into()).unwrap()
}

/// Recording of these requests to this server, with every response read to its end.
async fn record(server: Transport, requests: Vec<Request<Body>>) -> String {
    record_with(Scrub::new(), server, requests).await
}

async fn record_with(scrub: Scrub, server: Transport, requests: Vec<Request<Body>>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cassette.jsonl");
    let transport = server.layer(RecordLayer::create(&path, scrub).unwrap());
    for request in requests {
        if let Ok(response) = transport.call(request).await {
            let _ = response.into_body().collect(1 << 20).await;
        }
    }
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_recording_reads_well_and_plays_the_same() {
    let slow = leaf(|request| async move {
        tokio::time::sleep(Duration::from_millis(12)).await;
        let path = request.uri().path().to_owned();
        let mut response = match path.as_str() {
            "/json" => Response::new(Body::from("{\n  \"p\": 0.10000000000000001\n}")),
            "/proto" => Response::new(Body::from(vec![10, 3, 97, 98, 255])),
            "/stream" => Response::new(chunks(&["two ", "pieces"])),
            _ => {
                let what = "the connection broke";
                return Err(TransportError::new(
                    Kind::Interrupted,
                    Stage::MaybeReceived,
                    what,
                ));
            }
        };
        response
            .headers_mut()
            .append("x-twice", HeaderValue::from_static("a"));
        response
            .headers_mut()
            .append("x-twice", HeaderValue::from_static("b"));
        Ok(response)
    });
    let requests = || {
        vec![
            post("/json?n=1", r#"{"b":1,"a":"é"}"#),
            post("/proto", vec![8, 1, 0]),
            post("/stream", "words"),
            post("/broken", ""),
        ]
    };
    let text = record(slow, requests()).await;
    let expected = [
        r#"{"tinker_cassette":1}"#,
        r#"{"n":1,"request":{"method":"POST","path":"/json?n=1","headers":{},"json":{"b":1,"a":"é"}},"answer":{"status":200,"headers":{"x-twice":["a","b"]},"json":{"p":0.10000000000000001}},"took_ms":12}"#,
        r#"{"n":2,"request":{"method":"POST","path":"/proto","headers":{},"base64":"CAEA"},"answer":{"status":200,"headers":{"x-twice":["a","b"]},"base64":"CgNhYv8="},"took_ms":12}"#,
        r#"{"n":3,"request":{"method":"POST","path":"/stream","headers":{},"text":"words"},"answer":{"status":200,"headers":{"x-twice":["a","b"]},"text":"two pieces"},"took_ms":12}"#,
        r#"{"n":4,"request":{"method":"POST","path":"/broken","headers":{}},"failure":{"kind":"Interrupted","stage":"MaybeReceived","what":"the connection broke"},"took_ms":12}"#,
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);

    let cassette = Cassette::parse(&text).unwrap();
    for player in [cassette.strict(), cassette.loose()] {
        let transport = Transport::new(player.clone());
        let mut bodies = Vec::new();
        for request in requests() {
            match transport.call(request).await {
                Ok(response) => {
                    assert_eq!(response.headers().get_all("x-twice").iter().count(), 2);
                    bodies.push(response.into_body().collect(100).await.unwrap());
                }
                Err(error) => assert_eq!(
                    (error.kind(), error.stage()),
                    (Kind::Interrupted, Stage::MaybeReceived)
                ),
            }
        }
        assert_eq!(bodies[0], r#"{"p":0.10000000000000001}"#);
        assert_eq!(bodies[1].as_ref(), [10, 3, 97, 98, 255]);
        assert_eq!(bodies[2], "two pieces");
        assert_eq!(player.remaining(), 0);
    }
}

#[tokio::test]
async fn strict_wants_the_order_and_names_the_difference() {
    let script = Script::new().answer(200, "one").answer(200, "two");
    let mut first = post("/a", r#"{"x":{"y":1},"seed":1}"#);
    let json = HeaderValue::from_static("application/json");
    first.headers_mut().insert(CONTENT_TYPE, json.clone());
    first
        .headers_mut()
        .insert("x-idempotency-key", HeaderValue::from_static("k-1"));
    let text = record(Transport::new(script), vec![first, post("/b", "b")]).await;
    let player = Cassette::parse(&text).unwrap().strict().ignoring("seed");
    let transport = Transport::new(player.clone());

    for (request, what) in [
        (
            post("/b", "b"),
            "expects POST /a as request 1; POST /b differs in its path",
        ),
        (
            post("/a", r#"{"x":{"y":2}}"#),
            "differs in its body at /x/y",
        ),
        (
            post("/a", r#"{"x":{"y":1}}"#),
            "differs in its header content-type",
        ),
    ] {
        let error = transport.call(request).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.stage()),
            (Kind::Request, Stage::NotSent)
        );
        assert!(error.to_string().contains(what), "{error}");
    }
    assert_eq!(player.remaining(), 2, "a misfit is not counted");

    let mut first = post("/a", r#"{"seed":77,"x":{"y":1}}"#);
    first.headers_mut().insert(CONTENT_TYPE, json);
    first
        .headers_mut()
        .insert("x-idempotency-key", HeaderValue::from_static("k-2"));
    transport.call(first).await.unwrap();
    transport.call(post("/b", "b")).await.unwrap();
    let error = transport.call(post("/b", "b")).await.unwrap_err();
    assert!(error.to_string().contains("is at its end"), "{error}");
}

#[tokio::test]
async fn loose_picks_by_request_and_repeats_the_last_answer() {
    let script = Script::new()
        .answer(200, "wait")
        .answer(200, "b")
        .answer(200, "done");
    let requests = vec![post("/poll", "id"), post("/b", "b"), post("/poll", "id")];
    let text = record(Transport::new(script), requests).await;
    let player = Cassette::parse(&text).unwrap().loose();
    let transport = Transport::new(player.clone());
    let ask = async |path: &str, body: &'static str| {
        let response = transport.call(post(path, body)).await?;
        response.into_body().collect(100).await
    };
    assert_eq!(ask("/b", "b").await.unwrap(), "b");
    for expected in ["wait", "done", "done"] {
        assert_eq!(ask("/poll", "id").await.unwrap(), expected);
    }
    assert_eq!(player.remaining(), 0);
    let error = ask("/poll", "other").await.unwrap_err().to_string();
    assert!(
        error.contains("holds no POST /poll with this body"),
        "{error}"
    );
    let error = ask("/c", "").await.unwrap_err().to_string();
    assert!(error.contains("holds no POST /c at all"), "{error}");
}

#[tokio::test]
async fn secrets_are_removed_from_every_part() {
    let mut answer = Response::new(Body::from(r#"{"api_key":"hunter2","note":"uses hunter2"}"#));
    for (name, value) in [
        (SET_COOKIE, "s=hunter2"),
        (LOCATION, "https://files.test/a?X-Amz-Signature=hunter2"),
    ] {
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    let proto = Response::new(Body::from(b"\x0a\x07hunter2\x00\xff".to_vec()));
    let failure = TransportError::new(Kind::Layer, Stage::NotSent, "no hunter2 here");
    let script = Script::new().respond(answer).respond(proto).fail(failure);
    let mut request = post(
        "https://me:hunter2@h.test/a?token=hunter2&n=1",
        "say hunter2",
    );
    let mut marked = HeaderValue::from_static("hunter2");
    marked.set_sensitive(true);
    request.headers_mut().insert("x-configured", marked);
    for name in [
        "x-api-key",
        "authorization",
        "cf-access-client-secret",
        "x-named",
    ] {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static("hunter2"));
    }
    let scrub = Scrub::new()
        .with_secret("hunter2")
        .with_header(&http::HeaderName::from_static("x-named"));
    let requests = vec![
        request,
        post("/proto", b"\x0a\x07hunter2\x00\xff".to_vec()),
        post("/c", ""),
    ];
    let text = record_with(scrub, Transport::new(script), requests).await;
    assert!(!text.contains("hunter2"), "{text}");
    let path = r#""path":"https://h.test/a?token=[removed]&n=1""#;
    assert!(text.contains(path), "{text}");
    for line in text.lines().filter(|line| line.contains("base64")) {
        use base64::Engine;
        let decode = |part: &str| {
            base64::engine::general_purpose::STANDARD
                .decode(part)
                .unwrap()
        };
        for part in line.split("\"base64\":\"").skip(1) {
            let bytes = decode(part.split('"').next().unwrap());
            assert_eq!(bytes, b"\x0a\x07*******\x00\xff");
        }
    }
}

#[tokio::test]
async fn a_body_nobody_read_to_its_end_is_marked_and_breaks_off_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cassette.jsonl");
    let server = leaf(|_| async { Ok(Response::new(chunks(&["half", "whole"]))) });
    let transport = server.layer(RecordLayer::create(&path, Scrub::new()).unwrap());
    let mut body = transport.call(post("/a", "")).await.unwrap().into_body();
    http_body_util::BodyExt::frame(&mut body)
        .await
        .unwrap()
        .unwrap();
    drop(body);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(r#""text":"half","cut":true"#), "{text}");
    let transport = Transport::new(Cassette::parse(&text).unwrap().strict());
    let response = transport.call(post("/a", "")).await.unwrap();
    let error = response.into_body().collect(100).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Body);
}

#[test]
fn what_is_no_cassette_is_refused_with_the_place() {
    let error = Cassette::parse("{}").unwrap_err();
    assert!(error.to_string().contains(HEAD), "{error}");
    let text = format!("{HEAD}\n\n{{\"n\":1,\"request\":{{\"method\":\"GET\"}}}}");
    let error = Cassette::parse(&text).unwrap_err();
    assert_eq!(error.to_string(), "line 3 of the cassette cannot be read");
    assert_eq!(error.source().unwrap().to_string(), "`answer` is missing");
    assert!(Cassette::load("/no/such/file").is_err());
    assert!(Cassette::parse(HEAD).unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_whole_stack_is_recorded_and_played_in_either_place() {
    use crate::{ApiKey, Call, Class, Compression, Replay, TransportBuilder, TransportConfig};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cassette.jsonl");
    let builder = || {
        let mut headers = http::HeaderMap::new();
        headers.insert("x-configured", HeaderValue::from_static("hunter2"));
        let config = TransportConfig::new("http://engine.test/prefix")
            .with_credential(ApiKey::new("tml-hunter2"))
            .with_headers(headers);
        TransportBuilder::from_config(config)
    };
    let ask = |compression| {
        let call = Call::new("sample", Class::Sample)
            .with_replay(Replay::Safe)
            .with_compression(compression);
        let mut request = post("/api/v1/asample", r#"{"seq_id":1}"#);
        request.extensions_mut().insert(call);
        request
    };
    let script = Script::new().answer(503, "").answer(200, "answer");
    let recorder = builder()
        .attempt_layer(RecordLayer::create(&path, Scrub::new()).unwrap())
        .leaf(script)
        .build()
        .unwrap();
    recorder
        .call(ask(Compression::Zstd))
        .await
        .unwrap()
        .into_body()
        .collect(99)
        .await
        .unwrap();

    let cassette = Cassette::load(&path).unwrap();
    assert_eq!(cassette.len(), 2, "every try");
    let (in_slot, at_leaf) = (cassette.strict(), cassette.strict());
    let slot = builder()
        .attempt_layer(in_slot.clone())
        .leaf(crate::testing::never());
    let leaf = builder().leaf(at_leaf.clone());
    for (builder, player, compression) in [
        (slot, in_slot, Compression::Zstd),
        (leaf, at_leaf, Compression::None),
    ] {
        let response = builder
            .build()
            .unwrap()
            .call(ask(compression))
            .await
            .unwrap();
        assert_eq!(response.into_body().collect(99).await.unwrap(), "answer");
        assert_eq!(player.remaining(), 0);
    }
}
