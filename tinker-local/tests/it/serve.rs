//! Serving on a real socket.

use std::time::Duration;

use tinker_local::serve;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::support::builder;

async fn exchange(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 512];
    loop {
        let n = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut piece))
            .await
            .unwrap()
            .unwrap();
        answer.extend_from_slice(&piece[..n]);
        let text = String::from_utf8_lossy(&answer);
        if n == 0 || (text.contains("\r\n\r\n") && text.ends_with('}')) {
            return text.into_owned();
        }
    }
}

#[tokio::test]
async fn it_answers_on_a_socket_keeps_the_connection_and_stops_when_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let engine = builder().build().unwrap();
    let server = tokio::spawn(serve(listener, engine, async {
        let _ = stopped.await;
    }));
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        let answer = exchange(
            &mut stream,
            "GET /api/v1/healthz HTTP/1.1\r\nhost: localhost\r\n\r\n",
        )
        .await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains(r#"{"status":"ok"}"#),
            "{answer}"
        );
    }
    let garbage = exchange(
        &mut TcpStream::connect(address).await.unwrap(),
        "NOT HTTP AT ALL\r\n\r\n",
    )
    .await;
    assert!(
        garbage.is_empty() || garbage.starts_with("HTTP/1.1 400"),
        "{garbage}"
    );

    // HTTP/2 for a client that starts with it: the server answers with its settings frame.
    let mut second = TcpStream::connect(address).await.unwrap();
    second
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        .await
        .unwrap();
    let mut frame = [0; 9];
    second.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[3], 4, "{frame:?}");

    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(6), server)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

/// A server that runs until the sender is dropped.
async fn start(engine: tinker_local::LocalEngine) -> (std::net::SocketAddr, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(serve(listener, engine, async {
        let _ = stopped.await;
    }));
    (address, stop)
}

async fn once(address: std::net::SocketAddr, request: &str) -> String {
    exchange(&mut TcpStream::connect(address).await.unwrap(), request).await
}

#[tokio::test]
async fn other_names_and_other_peoples_pages_are_refused() {
    let (address, _stop) = start(builder().build().unwrap()).await;
    let get = |host: &str, more: &str| {
        let request = format!("GET /api/v1/healthz HTTP/1.1\r\nhost: {host}\r\n{more}\r\n");
        async move { once(address, &request).await }
    };
    let refused = get("rebound.example:8700", "").await;
    assert!(
        refused.starts_with("HTTP/1.1 403") && refused.contains("use one of them"),
        "{refused}"
    );
    let refused = get("localhost", "origin: https://page.example\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    let good = get("localhost:1", "origin: http://localhost:3000\r\n").await;
    assert!(good.starts_with("HTTP/1.1 200"), "{good}");
}

#[tokio::test]
async fn a_connection_is_broken_when_asked_for() {
    let engine = builder().build().unwrap();
    let fault = tinker_local::InjectedFault::dropped("healthz").with_times(1);
    engine.behave(|behavior| behavior.faults.push(fault));
    let (address, _stop) = start(engine).await;
    assert_eq!(once(address, HEALTH).await, "", "closed without a word");
    assert!(once(address, HEALTH).await.starts_with("HTTP/1.1 200"));
}

const HEALTH: &str = "GET /api/v1/healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";

#[tokio::test]
async fn connections_are_bounded() {
    let mut limits = tinker_local::Limits::default();
    limits.connections = 1;
    let (address, _stop) = start(builder().limits(limits).build().unwrap()).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    assert!(
        exchange(&mut first, HEALTH)
            .await
            .starts_with("HTTP/1.1 200")
    );
    let mut waiting = TcpStream::connect(address).await.unwrap();
    waiting.write_all(HEALTH.as_bytes()).await.unwrap();
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(50), waiting.read(&mut byte));
    assert!(early.await.is_err(), "the one place is taken");
    drop(first);
    let answer = exchange(&mut waiting, "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_body_must_arrive_in_time() {
    let mut limits = tinker_local::Limits::default();
    limits.body_time = Duration::from_millis(50);
    let (address, _stop) = start(builder().limits(limits).build().unwrap()).await;
    let head =
        "POST /api/v1/create_session HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{";
    let answer = once(address, head).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}
