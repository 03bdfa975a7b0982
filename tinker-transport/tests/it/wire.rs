//! The network leaf, against real sockets.

use std::time::Duration;

use http::Request;
use tinker_transport::policy::{Backoff, Never, Policy, Standard};
use tinker_transport::{
    ApiKey, Body, Call, Class, ClassLimits, Compression, Kind, Replay, Stage, Transport,
    TransportBuilder, TransportConfig,
};

use crate::leaf::over_network;
use crate::server::{Answer, Server, empty, ok};

fn transport(url: &str) -> Transport {
    over_network(config(url)).unwrap()
}

/// Retries without waiting, three attempts.
fn config(url: &str) -> TransportConfig {
    let quick = Standard::new()
        .with_backoff(Backoff::new(Duration::ZERO, Duration::ZERO))
        .with_attempt_limit(3);
    TransportConfig::new(url)
        .with_credential(ApiKey::new("tml-hunter2"))
        .with_policy(Class::Train, quick)
}

fn post(call: Call) -> Request<Body> {
    Request::post("/api/v1/x?a=1")
        .extension(call)
        .body(Body::from("hello"))
        .unwrap()
}

fn train() -> Call {
    Call::new("x", Class::Train).with_replay(Replay::Safe)
}

#[tokio::test]
async fn a_request_arrives_as_it_should() {
    let server = Server::start(|_, _| ok("answer")).await;
    let transport = transport(&format!("{}/prefix/", server.url()));
    let response = transport.call(post(train())).await.unwrap();
    assert_eq!(response.into_body().collect(100).await.unwrap(), "answer");

    let seen = &server.seen()[0];
    assert_eq!(
        seen.head.lines().next(),
        Some("POST /prefix/api/v1/x?a=1 HTTP/1.1")
    );
    assert_eq!(seen.body, b"hello");
    assert_eq!(seen.header("content-length"), Some("5"), "never chunked");
    assert_eq!(seen.header("x-api-key"), Some("tml-hunter2"));
    assert_eq!(seen.header("accept"), Some("application/json"));
    assert_eq!(seen.header("accept-encoding"), Some("zstd"));
    assert!(
        seen.header("user-agent")
            .unwrap()
            .starts_with("tinker-rust/")
    );
    assert_eq!(seen.header("x-idempotency-key").unwrap().len(), 36);
    assert_eq!(seen.header("authorization"), None);
}

#[tokio::test]
async fn a_compressed_body_says_so() {
    let server = Server::start(|_, _| ok("")).await;
    let call = train().with_compression(Compression::Zstd);
    transport(&server.url()).call(post(call)).await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.header("content-encoding"), Some("zstd"));
    assert_eq!(
        seen.header("content-length"),
        Some(seen.body.len().to_string().as_str())
    );
    assert_eq!(zstd::bulk::decompress(&seen.body, 100).unwrap(), b"hello");
}

#[tokio::test]
async fn requests_without_a_body_state_their_length() {
    let server = Server::start(|_, _| ok("")).await;
    let transport = transport(&server.url());
    for (method, length) in [("POST", Some("0")), ("PUT", Some("0")), ("GET", None)] {
        let call = Call::new("x", Class::Rest);
        let request = Request::builder().method(method).uri("/x").extension(call);
        let request = request.body(Body::empty()).unwrap();
        transport.call(request).await.unwrap();
        let seen = server.seen().pop().unwrap();
        assert_eq!(seen.header("content-length"), length, "{method}");
        assert_eq!(seen.header("transfer-encoding"), None, "{method}");
    }
}

#[tokio::test]
async fn a_dropped_answer_is_asked_for_again_with_the_same_key() {
    let server = Server::start(|n, _| if n == 0 { Answer::HangUp } else { ok("answer") }).await;
    transport(&server.url()).call(post(train())).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(
        seen[0].header("x-idempotency-key"),
        seen[1].header("x-idempotency-key")
    );
    assert_eq!(seen[0].body, seen[1].body);
}

#[tokio::test]
async fn a_broken_connection_may_have_been_received_and_is_not_repeated_unasked() {
    let server = Server::start(|_, _| Answer::HangUp).await;
    let error = transport(&server.url())
        .call(post(Call::new("x", Class::Train)))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.stage(), error.attempts()),
        (Kind::Interrupted, Stage::MaybeReceived, 1)
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_closed_port_was_never_reached() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = transport(&url)
        .call(post(Call::new("x", Class::Train)))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.stage(), error.attempts()),
        (Kind::Connect, Stage::NotSent, 3)
    );
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn silence_ends_with_the_time_of_the_attempt() {
    let server = Server::start(|_, _| Answer::Silence).await;
    let call = train()
        .with_policy(Never)
        .with_timeout(Duration::from_millis(50));
    let error = transport(&server.url()).call(post(call)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.stage()),
        (Kind::Timeout, Stage::MaybeReceived)
    );
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_an_error_of_the_answer() {
    let cut = || {
        Answer::Send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\nconnection: close\r\n\r\nabc".into())
    };
    let server = Server::start(move |n, _| if n == 0 { cut() } else { Answer::HangUp }).await;
    let call = train().with_timeout(Duration::from_millis(200));
    let response = transport(&server.url()).call(post(call)).await.unwrap();
    let error = response.into_body().collect(100).await.unwrap_err();
    assert_eq!(error.stage(), Stage::Answered);
}

#[tokio::test]
async fn an_empty_400_is_repeated_on_a_new_connection() {
    let server = Server::start(|n, _| {
        if n == 0 {
            empty("400 Bad Request", "")
        } else {
            ok("answer")
        }
    })
    .await;
    let response = transport(&server.url()).call(post(train())).await.unwrap();
    assert_eq!(response.status(), 200);
    let connections: Vec<_> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 1]);
}

#[tokio::test]
async fn a_user_error_is_sent_once_and_its_body_can_be_read() {
    let server = Server::start(|_, _| {
        let body = r#"{"detail":"no"}"#;
        Answer::Send(format!(
            "HTTP/1.1 422 Unprocessable\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    })
    .await;
    let response = transport(&server.url()).call(post(train())).await.unwrap();
    assert_eq!(response.status(), 422);
    assert_eq!(
        response.into_body().collect(100).await.unwrap(),
        r#"{"detail":"no"}"#
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn the_key_does_not_follow_a_redirect_to_another_server() {
    let other = Server::start(|_, _| ok("file")).await;
    let target = format!("location: {}/signed?token=t\r\n", other.url());
    let server = Server::start(move |_, _| empty("302 Found", &target)).await;
    let mut headers = http::HeaderMap::new();
    headers.insert("cf-access-client-secret", "hunter2".parse().unwrap());
    let transport = over_network(config(&server.url()).with_headers(headers)).unwrap();

    let get = Request::get("/api/v1/audit").body(Body::empty()).unwrap();
    let response = transport.call(get).await.unwrap();
    assert_eq!(response.into_body().collect(100).await.unwrap(), "file");
    assert!(server.seen()[0].head.contains("hunter2"));
    let there = &other.seen()[0];
    assert_eq!(
        there.head.lines().next(),
        Some("GET /signed?token=t HTTP/1.1")
    );
    assert!(!there.head.contains("hunter2"), "{}", there.head);

    // A POST is not followed at all, since its body must not reach another origin.
    let response = transport.call(post(train())).await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(other.seen().len(), 1);
}

#[tokio::test]
async fn a_redirect_within_the_server_keeps_everything() {
    let server = Server::start(|n, _| {
        if n == 0 {
            empty("307 Temporary Redirect", "location: /elsewhere\r\n")
        } else {
            ok("answer")
        }
    })
    .await;
    transport(&server.url()).call(post(train())).await.unwrap();
    let second = &server.seen()[1];
    assert_eq!(second.head.lines().next(), Some("POST /elsewhere HTTP/1.1"));
    assert_eq!(
        (second.header("x-api-key"), second.body.as_slice()),
        (Some("tml-hunter2"), b"hello".as_slice())
    );
}

#[tokio::test]
async fn classes_do_not_share_connections_and_one_class_reuses_its_own() {
    let server = Server::start(|_, _| ok("answer")).await;
    let transport = transport(&server.url());
    for class in [
        Class::Train,
        Class::Train,
        Class::Rest,
        Class::Rest,
        Class::Train,
    ] {
        let response = transport.call(post(Call::new("x", class))).await.unwrap();
        response.into_body().collect(100).await.unwrap();
        // The connection returns to its pool just after the body has been read.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let connections: Vec<_> = server.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 0, 1, 1, 0]);
}

#[tokio::test]
async fn a_flood_of_samples_holds_up_neither_training_nor_heartbeats() {
    let server = Server::start(|_, seen| {
        if seen.header("x-kind") == Some("flood") {
            Answer::Silence
        } else {
            ok("answer")
        }
    })
    .await;
    let transport = transport(&server.url());
    let sample = || {
        let mut request = post(Call::new("asample", Class::Sample));
        let kind = http::HeaderValue::from_static("flood");
        request.headers_mut().insert("x-kind", kind);
        transport.call(request)
    };
    // More than are admitted at once, and none ever gets a response.
    let flood: Vec<_> = (0..600).map(|_| tokio::spawn(sample())).collect();
    while server.seen().len() < 400 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for (operation, class) in [
        ("optim_step", Class::Train),
        ("session_heartbeat", Class::Session),
        ("retrieve_future", Class::Retrieve),
        ("optim_step", Class::Train),
    ] {
        let answer = transport.call(post(Call::new(operation, class)));
        let answer = tokio::time::timeout(Duration::from_secs(5), answer).await;
        assert_eq!(answer.expect(operation).unwrap().status(), 200);
    }
    assert!(flood.iter().all(|sample| !sample.is_finished()));
    let seen = server.seen();
    let (flooded, free): (Vec<_>, Vec<_>) = seen
        .iter()
        .partition(|seen| seen.header("x-kind") == Some("flood"));
    assert_eq!((flooded.len(), free.len()), (400, 4));
    for seen in free {
        let is_shared = flooded
            .iter()
            .any(|other| other.connection == seen.connection);
        assert!(!is_shared, "a sample had the same connection");
    }
}

#[tokio::test]
async fn two_transports_for_the_same_server_and_key_share_the_cool_down() {
    let throttle = || empty("429 Too Many Requests", "");
    let server = Server::start(move |n, _| if n == 0 { throttle() } else { ok("answer") }).await;
    let default = || Transport::from_config(config(&server.url())).unwrap();
    let (first, second) = (default(), default());
    let sample = || post(Call::new("sample", Class::Sample).with_replay(Replay::Safe));
    let began = tokio::time::Instant::now();
    let waiting = tokio::spawn(first.call(sample()));
    while server.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    second.call(sample()).await.unwrap();
    assert!(
        began.elapsed() >= Duration::from_secs(1),
        "the second waited for the first one's window"
    );
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn real_traffic_is_recorded_and_played_without_a_server() {
    use tinker_transport::testing::{Cassette, RecordLayer, Scrub};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cassette.jsonl");
    let answer = r#"{"token":"hunter2","logprobs":[-0.30000000000000004]}"#;
    let server = Server::start(move |n, _| if n == 0 { Answer::HangUp } else { ok(answer) }).await;
    let recorder = TransportBuilder::from_config(config(&server.url()))
        .attempt_layer(RecordLayer::create(&path, Scrub::new()).unwrap())
        .build()
        .unwrap();
    let real = recorder.call(post(train())).await.unwrap();
    assert_eq!(real.into_body().collect(100).await.unwrap(), answer);

    let cassette = Cassette::load(&path).unwrap();
    assert_eq!(cassette.len(), 2, "the broken try, too");
    let player = cassette.strict();
    let replay = TransportBuilder::from_config(config("http://nowhere.test"))
        .leaf(player.clone())
        .build()
        .unwrap();
    let played = replay.call(post(train())).await.unwrap();
    assert_eq!(
        played.into_body().collect(100).await.unwrap(),
        r#"{"logprobs":[-0.30000000000000004],"token":"[removed]"}"#
    );
    assert_eq!(player.remaining(), 0);
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_at_once() {
    for config in [
        TransportConfig::new("localhost:8000"),
        TransportConfig::new("https://h.test").with_user_agent("line\nbreak"),
        TransportConfig::new("https://h.test").with_root_certificates("not pem"),
    ] {
        let error = over_network(config).unwrap_err();
        assert_eq!(
            (error.kind(), error.stage()),
            (Kind::Config, Stage::NotBuilt),
            "{error}"
        );
    }
    let limits = ClassLimits::of(Class::Rest).with_timeout(Duration::from_secs(1));
    let config = TransportConfig::new("http://127.0.0.1:1").with_limits(Class::Rest, limits);
    assert!(over_network(config).is_ok(), "building does not connect");
}
