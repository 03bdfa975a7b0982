//! Tests of what is printed while a server does not answer, and of addresses that cannot work.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command};
use std::time::Duration;

use tokio::time::Instant;

use crate::program::Workplace;

/// Half of the minute that the program would wait if nobody interrupted it.
const BEFORE_THE_END: Duration = Duration::from_secs(30);

/// A server that accepts connections, sends `answer` to each, and then nothing.
fn listen(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if !answer.is_empty() {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            }
            open.push(stream);
        }
    });
    address
}

/// The first line of stderr that contains `part`, and the time it took.
fn line_with(child: &mut Child, part: &str) -> (String, Duration) {
    let began = Instant::now();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.map(Result::unwrap).find(|line| line.contains(part));
    (line.unwrap_or_default(), began.elapsed())
}

/// Interrupts the program; the time until it has ended.
fn interrupt(child: &mut Child) -> Duration {
    let began = Instant::now();
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    child.wait().unwrap();
    began.elapsed()
}

#[test]
fn a_silent_server_is_waited_for_with_a_reason_and_an_end() {
    let work = Workplace::new();
    let address = format!("http://{}", listen(""));
    let mut child = work
        .command(&["sample", "hi", "--base-url", &address])
        .spawn()
        .unwrap();
    let (line, after) = line_with(&mut child, "waiting");
    assert!(
        line.contains(&format!("for {address} to answer (client/config)")),
        "{line}"
    );
    assert!(line.contains("so far, at most 57 s more"), "{line}");
    assert!(after < BEFORE_THE_END, "{after:?}");
    assert!(interrupt(&mut child) < BEFORE_THE_END);
}

/// Starts a sample, waits for the line that explains the wait, and stops the program.
fn explained(work: &Workplace, base_url: &str, variables: &[(&str, &str)]) -> String {
    let mut command = work.command(&["sample", "hi", "--base-url", base_url]);
    for (name, value) in variables {
        command.env(name, value);
    }
    command.env_remove("no_proxy").env_remove("NO_PROXY");
    let mut child = command.spawn().unwrap();
    let (line, after) = line_with(&mut child, "waiting");
    assert!(after < BEFORE_THE_END, "{after:?}: {line}");
    assert!(interrupt(&mut child) < BEFORE_THE_END);
    line
}

#[test]
fn an_address_that_swallows_connections_is_waited_for_with_an_end() {
    // A full backlog: further connections are neither accepted nor refused, as on a network that drops packets.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let brief = Duration::from_millis(300);
    let connect = || std::net::TcpStream::connect_timeout(&address, brief);
    let waiting: Vec<_> = std::iter::from_fn(|| connect().ok()).take(10_000).collect();
    assert!(connect().is_err(), "{} connections fit", waiting.len());

    let base_url = format!("http://{address}");
    let line = explained(&Workplace::new(), &base_url, &[]);
    let words = format!("for {base_url} to answer (client/config)");
    assert!(
        line.contains(&words) && line.contains("so far, at most"),
        "{line}"
    );
}

#[test]
fn a_silent_proxy_is_waited_for_with_an_end() {
    let proxy = format!("http://{}", listen(""));
    let work = Workplace::new();
    for (variable, base_url) in [
        ("http_proxy", "http://127.0.0.1:8"),
        ("https_proxy", "https://127.0.0.1:8"),
    ] {
        let line = explained(&work, base_url, &[(variable, &proxy)]);
        let words = format!("for {base_url} through the proxy {proxy} to answer (client/config)");
        assert!(
            line.contains(&words) && line.contains("so far, at most"),
            "{line}"
        );
    }
}

#[test]
fn a_server_that_keeps_failing_is_quoted() {
    let work = Workplace::new();
    let answer =
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let address = format!("http://{}", listen(answer));
    let mut child = work
        .command(&["sample", "hi", "--base-url", &address])
        .spawn()
        .unwrap();
    let (line, _) = line_with(&mut child, "waiting");
    assert!(line.contains("2 attempts, the last answered 503"), "{line}");
    interrupt(&mut child);
}

#[test]
fn wrong_addresses_are_corrected_at_once() {
    let work = Workplace::new();
    let plain = listen("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    for (address, code, fix) in [
        (format!("https://{plain}"), 1, format!("try http://{plain}")),
        (
            "127.0.0.1:8700".to_owned(),
            2,
            "write http://127.0.0.1:8700".to_owned(),
        ),
        (
            "http://127.0.0.1:8700/api/v1/".to_owned(),
            2,
            "leave /api/v1 out: http://127.0.0.1:8700".to_owned(),
        ),
    ] {
        let began = Instant::now();
        let run = work.run(&["sample", "hi", "--base-url", &address]);
        assert_eq!(run.code, code, "{}", run.stderr);
        assert!(run.stderr.contains(&fix), "{}", run.stderr);
        assert!(began.elapsed() < BEFORE_THE_END, "{address}");
    }
}

#[test]
fn no_password_of_an_address_is_printed() {
    let work = Workplace::new();
    let run = work.run(&["sample", "hi", "--base-url", "http://me:s3cr3t@127.0.0.1:9"]);
    assert_eq!(run.code, 2);
    assert!(!run.stderr.contains("s3cr3t"), "{}", run.stderr);
}

#[test]
fn the_proxy_is_named_without_its_password() {
    let work = Workplace::new();
    let run = work
        .command(&["sample", "hi", "--base-url", "http://127.0.0.1:8"])
        .env("http_proxy", "http://me:s3cr3t@127.0.0.1:9")
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .output()
        .unwrap();
    let stderr = String::from_utf8(run.stderr).unwrap();
    assert!(
        stderr.contains("http://127.0.0.1:8, through the proxy http://127.0.0.1:9"),
        "{stderr}"
    );
    assert!(
        stderr
            .contains("cannot connect to http://127.0.0.1:8 through the proxy http://127.0.0.1:9"),
        "{stderr}"
    );
    assert!(!stderr.contains("s3cr3t"), "{stderr}");
}

/// A server that answers each path that contains a part with a status and a body, and others with `{}`.
fn serve(answers: &'static [(&'static str, u16, &'static str)]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut part = [0; 4096];
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut part) {
                    Ok(count @ 1..) => request.extend_from_slice(&part[..count]),
                    _ => break,
                }
            }
            let request = String::from_utf8_lossy(&request);
            let path = request.split(' ').nth(1).unwrap_or_default();
            let found = answers.iter().find(|(part, ..)| path.contains(part));
            let (_, status, body) = found.copied().unwrap_or(("", 200, "{}"));
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn a_missing_checkpoint_is_answered_with_those_that_exist() {
    let address = serve(&[
        ("get_server_capabilities", 200, "{\"supported_models\":[]}"),
        ("create_session", 200, "{\"session_id\":\"s\"}"),
        (
            "create_sampling_session",
            404,
            "{\"detail\":\"no such checkpoint\"}",
        ),
        (
            "training_runs/r/checkpoints",
            200,
            "{\"checkpoints\":[{\"checkpoint_id\":\"weights/a\",\"checkpoint_type\":\"training\",\"time\":\"2026-01-01T00:00:00Z\",\"tinker_path\":\"tinker://r/weights/a\"}]}",
        ),
    ]);
    let work = Workplace::new();
    let address = format!("http://{address}");
    let run = work.run(&[
        "sample",
        "hi",
        "--base-url",
        &address,
        "--model",
        "tinker://r/sampler_weights/b",
    ]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let text = "tinker://r/sampler_weights/b does not exist; the run has tinker://r/weights/a";
    assert!(run.stderr.contains(text), "{}", run.stderr);
}

#[test]
fn a_slash_too_many_is_named() {
    let work = Workplace::new();
    let run = work.run(&[
        "sample",
        "hi",
        "--model",
        "tinker://r/sampler_weights/final/",
    ]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(
        run.stderr.contains("drop the / at the end"),
        "{}",
        run.stderr
    );
}
