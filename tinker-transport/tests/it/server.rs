//! A small HTTP/1.1 server on 127.0.0.1 that records every received byte.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One received request.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Number of the connection, from 0.
    pub(crate) connection: usize,
    /// Request line and headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// Reaction of the server to a request.
pub(crate) enum Answer {
    /// Sends these bytes.
    Send(String),
    /// Closes the connection.
    HangUp,
    /// Does not respond.
    Silence,
}

/// A response with a body.
pub(crate) fn ok(body: &str) -> Answer {
    Answer::Send(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// A response without a body, with additional headers.
pub(crate) fn empty(status: &str, headers: &str) -> Answer {
    Answer::Send(format!(
        "HTTP/1.1 {status}\r\ncontent-length: 0\r\n{headers}\r\n"
    ))
}

/// A running server; it ends with the runtime of the test.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Reacts to the request with each number (from 0) as `answer` returns.
    pub(crate) async fn start(
        answer: impl Fn(usize, &Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
        };
        let (running, answer) = (server.clone(), Arc::new(answer));
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(
                    running
                        .clone()
                        .serve(connection, stream, Arc::clone(&answer)),
                );
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    async fn serve(
        self,
        connection: usize,
        mut stream: TcpStream,
        answer: Arc<impl Fn(usize, &Seen) -> Answer>,
    ) {
        let mut bytes = Vec::new();
        while let Some(request) = read(connection, &mut stream, &mut bytes).await {
            let number = {
                let mut seen = self.seen.lock().unwrap();
                seen.push(request.clone());
                seen.len() - 1
            };
            match answer(number, &request) {
                Answer::Send(text) => stream.write_all(text.as_bytes()).await.unwrap(),
                Answer::HangUp => return,
                Answer::Silence => std::future::pending().await,
            }
        }
    }
}

async fn read(connection: usize, stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Seen> {
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let mut request = Seen {
                connection,
                head,
                body: Vec::new(),
            };
            let length = request
                .header("content-length")
                .map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                request.body = bytes[end + 4..end + 4 + length].to_vec();
                bytes.drain(..end + 4 + length);
                return Some(request);
            }
        }
        let mut piece = [0; 1024];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => bytes.extend_from_slice(&piece[..n]),
        }
    }
}
