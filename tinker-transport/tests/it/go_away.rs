//! HTTP/2 connections that the server closes after a few requests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use tinker_transport::{Body, Call, Class, Replay, TransportConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::leaf::over_network;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Processes `most` requests. Then names the last of them in a `GOAWAY`, ignores the rest and closes the connection.
/// Frames are written by hand, because HTTP libraries choose the last stream themselves.
async fn serve(
    mut stream: TlsStream<TcpStream>,
    most: usize,
    processed: &AtomicUsize,
) -> std::io::Result<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    let mut served = 0;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await?;
        let (kind, flags) = (head[3], head[4]);
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        match kind {
            SETTINGS if flags & ACK == 0 => {
                stream.write_all(&frame(SETTINGS, ACK, 0, &[])).await?;
            }
            PING if flags & ACK == 0 => stream.write_all(&frame(PING, ACK, 0, &payload)).await?,
            HEADERS | DATA if flags & END_STREAM != 0 && served < most => {
                served += 1;
                processed.fetch_add(1, Ordering::Relaxed);
                // 0x88 is `:status: 200` in the static table.
                let mut answer = frame(HEADERS, END_HEADERS, id, &[0x88]);
                answer.extend(frame(DATA, END_STREAM, id, b"done"));
                if served == most {
                    let no_error = [&id.to_be_bytes()[..], &0_u32.to_be_bytes()].concat();
                    answer.extend(frame(GOAWAY, 0, 0, &no_error));
                }
                stream.write_all(&answer).await?;
                stream.flush().await?;
                if served == most {
                    let mut ignored = tokio::io::sink();
                    let rest = tokio::io::copy(&mut stream, &mut ignored);
                    let _ = tokio::time::timeout(Duration::from_millis(200), rest).await;
                    return stream.shutdown().await;
                }
            }
            _ => {}
        }
    }
}

/// A server that closes each connection after `most` requests: its address, its certificate, the number of requests that
/// it processed.
async fn start(most: usize) -> (SocketAddr, String, Arc<AtomicUsize>) {
    let (certificate, mut config) = crate::certificate::localhost();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let processed = Arc::new(AtomicUsize::new(0));
    let log = Arc::clone(&processed);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, log) = (acceptor.clone(), Arc::clone(&log));
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    let _ = serve(stream, most, &log).await;
                }
            });
        }
    });
    (address, certificate, processed)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_a_closing_connection_did_not_process_are_sent_again_at_once() {
    let (address, certificate, processed) = start(3).await;
    let config = TransportConfig::new(format!("https://localhost:{}", address.port()))
        .with_root_certificates(certificate);
    let transport = over_network(config).unwrap();
    let send = |number: usize| {
        let transport = transport.clone();
        async move {
            let call = Call::new("asample", Class::Sample).with_replay(Replay::Safe);
            let request = Request::post(format!("/{number}"))
                .extension(call)
                .body(Body::from("{}"))
                .unwrap();
            let response = transport.call(request).await.unwrap();
            response.into_body().collect(100).await.unwrap()
        }
    };
    // The version is known after the first response.
    assert_eq!(send(1000).await, "done");
    let started = tokio::time::Instant::now();
    let tasks: Vec<_> = (0..80).map(|number| tokio::spawn(send(number))).collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), "done");
    }
    let took = started.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(processed.load(Ordering::Relaxed), 81, "each exactly once");
}
