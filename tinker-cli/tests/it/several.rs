//! Tests of a server with several models and limits.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::program::Workplace;
use crate::serve::Server;

/// The complete response to a request, as text.
fn ask(url: &str, request: &str, body: &str) -> String {
    let host = url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(host).unwrap();
    let length = body.len();
    write!(
        socket,
        "{request} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    )
    .unwrap();
    // A server that refuses the request need not read all of it.
    let _ = socket.write_all(body.as_bytes());
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_server_has_the_requested_models() {
    let work = Workplace::new();
    let export = work.run(&["export", "tinker-local/tiny", "--out", "copy"]);
    assert_eq!(export.code, 0, "{}", export.stderr);
    let models = ["--model", "small=copy", "--model", "tinker-local/tiny"];
    let server = Server::start_with(&work, &models);
    let answer = ask(&server.url, "GET /api/v1/get_server_capabilities", "");
    for name in ["\"small\"", "\"tinker-local/tiny\""] {
        assert!(answer.contains(name), "{answer}");
    }
    let sample = [
        "sample",
        "Hi",
        "--max-tokens",
        "4",
        "--base-url",
        &server.url,
    ];
    let ask_for = |model| work.run(&[&sample[..], &["--model", model]].concat());
    let built_in = ask_for("tinker-local/tiny");
    assert_eq!(built_in.code, 0, "{}", built_in.stderr);
    let absent = ask_for("nobody/none");
    assert_ne!(absent.code, 0);
    assert!(absent.stderr.contains("nobody/none"), "{}", absent.stderr);
}

#[test]
fn a_request_beyond_the_limit_is_refused() {
    let work = Workplace::new();
    let server = Server::start_with(&work, &["--max-request", "1"]);
    let create = "POST /api/v1/create_session";
    let body = format!("{{\"tags\":[\"{}\"]}}", "x".repeat(3 << 19));
    let large = ask(&server.url, create, &body);
    assert!(large.starts_with("HTTP/1.1 413"), "{large}");
    drop(server);
    let server = Server::start_with(&work, &["--max-request", "2"]);
    let fits = ask(&server.url, create, &body);
    assert!(!fits.starts_with("HTTP/1.1 413"), "{fits}");
}

#[test]
fn invalid_models_and_limits_are_refused() {
    let work = Workplace::new();
    for (arguments, code, message) in [
        (&["--model", "nowhere"][..], 2, "nowhere is not a folder"),
        (&["--max-adapters", "0"], 2, "--max-adapters"),
    ] {
        let run = work.run(&[&["serve", "--port", "0"], arguments].concat());
        assert_eq!(run.code, code, "{}", run.stderr);
        assert!(run.stderr.contains(message), "{}", run.stderr);
    }
}
