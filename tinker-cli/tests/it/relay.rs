//! A relay to a server that loses requests and responses.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};

/// Faults among a hundred requests.
const FAULTS: u64 = 30;

/// One request or response: its head and its body.
pub(crate) fn message(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// Serves connections, a thread each, and returns the address.
pub(crate) fn listen(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (serve, stream) = (serve.clone(), stream.unwrap());
            std::thread::spawn(move || serve(stream));
        }
    });
    format!("http://{address}")
}

/// Relays requests. Of those whose head `concerns` accepts, 30 of 100 fail, before or after their work: a quarter by a broken
/// connection, the others by a 503.
pub(crate) fn faulty(
    upstream: &str,
    count: &AtomicU64,
    concerns: fn(&str) -> bool,
    mut stream: TcpStream,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some((head, body)) = message(&mut reader) {
        // A multiplicative generator, so that every run has the same share of faults.
        let draw = count
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            >> 32;
        let is_faulty = concerns(&head) && draw % 100 < FAULTS;
        let kind = draw / 100 % 8;
        let is_lost_before = is_faulty && kind.is_multiple_of(2);
        let answer = (!is_lost_before).then(|| forward(upstream, &head, &body));
        match answer {
            // The server closes its connection, and so does the relay.
            Some(Some(answer)) if !is_faulty => {
                let _ = stream.write_all(&answer);
                return;
            }
            Some(None) => return,
            _ if kind < 2 => return,
            _ => {
                let busy = "HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
                if stream.write_all(busy.as_bytes()).is_err() {
                    return;
                }
            }
        }
    }
}

/// Sends a request to a server, and returns its answer if the server is running. The server closes the connection.
pub(crate) fn forward(upstream: &str, head: &str, body: &[u8]) -> Option<Vec<u8>> {
    let mut server = TcpStream::connect(upstream).ok()?;
    let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    server.write_all(head.as_bytes()).ok()?;
    server.write_all(body).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    Some(answer)
}
