//! Tests of training runs whose server is restarted, and of waiting for a server.

#![expect(
    clippy::disallowed_methods,
    reason = "waits for processes, whose time cannot be paused"
)]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Run, Workplace, words};
use crate::serve::Server;

const TRAIN: &str = "train data.jsonl --steps 24 --batch-size 8 --rank 4 --eval eval.jsonl --json";

fn workplace() -> Workplace {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 40);
    work.write_examples("eval.jsonl", 1);
    work
}

fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

/// Waits until a run has done some steps.
fn wait_for_steps(work: &Workplace, folder: &str, steps: usize) {
    let metrics = work.path(folder).join("metrics.jsonl");
    let end = Instant::now() + Duration::from_mins(1);
    while std::fs::read_to_string(&metrics)
        .unwrap_or_default()
        .lines()
        .count()
        < steps
    {
        assert!(Instant::now() < end, "the run does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn finish(run: Child) -> Run {
    Run::of(run.wait_with_output().unwrap())
}

/// The losses of a run, by step.
fn losses(run: &Value) -> Vec<(u64, f64)> {
    let metrics = run["metrics"].as_array().unwrap();
    let loss = |step: &Value| {
        (
            step["step"].as_u64().unwrap(),
            step["loss"].as_f64().unwrap(),
        )
    };
    metrics.iter().map(loss).collect()
}

#[test]
fn a_run_continues_after_a_restart_of_its_server_with_the_same_losses() {
    let work = workplace();
    let port = free_port();
    let data = ["--data-dir", "data"];
    let server = Server::start_at(&work, &port, &data);
    let place = ["--save-every", "6", "--base-url", &server.url.clone()];
    let whole = work
        .run(&words(
            TRAIN,
            &[&place[..], &["--output", "whole"]].concat(),
        ))
        .json();

    let restarted = words(TRAIN, &[&place[..], &["--output", "restarted"]].concat());
    let run = work.command(&restarted).spawn().unwrap();
    wait_for_steps(&work, "restarted", 8);
    drop(server);
    let _server = Server::start_at(&work, &port, &data);
    let run = finish(run);
    assert!(
        run.stderr.contains("continuing from tinker://"),
        "{}",
        run.stderr
    );
    let json = run.json();
    assert_eq!(losses(&json), losses(&whole));
    assert_eq!(json["status"], "finished");
    let metrics = std::fs::read_to_string(work.path("restarted/metrics.jsonl")).unwrap();
    assert_eq!(metrics.lines().count(), 24, "each step once");
}

/// Passes connections to a server until it is dropped; then they are refused.
struct Gateway {
    is_open: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Gateway {
    fn open(port: &str, server: &str) -> Self {
        let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
        listener.set_nonblocking(true).unwrap();
        let server = server.strip_prefix("http://").unwrap().to_owned();
        let is_open = Arc::new(AtomicBool::new(true));
        let open = Arc::clone(&is_open);
        let thread = std::thread::spawn(move || {
            let mut streams = Vec::new();
            while open.load(Ordering::Relaxed) {
                let Ok((near, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(2));
                    continue;
                };
                near.set_nonblocking(false).unwrap();
                let far = TcpStream::connect(&server).unwrap();
                let pass = |from: &TcpStream, to: &TcpStream| {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                };
                pass(&near, &far);
                pass(&far, &near);
                streams.extend([near, far]);
            }
            for stream in streams {
                let _ = stream.shutdown(std::net::Shutdown::Both);
            }
        });
        Self {
            is_open,
            thread: Some(thread),
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.is_open.store(false, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn a_server_that_was_away_may_have_an_older_state_and_is_not_trusted() {
    let work = workplace();
    let server = Server::start_with(&work, &["--data-dir", "data"]);
    let port = free_port();
    let gateway = Gateway::open(&port, &server.url);
    let base_url = format!("http://127.0.0.1:{port}");
    let place = ["--save-every", "6", "--base-url", &base_url];
    let whole = work
        .run(&words(
            TRAIN,
            &[&place[..], &["--output", "whole"]].concat(),
        ))
        .json();
    let run = work
        .command(&words(TRAIN, &[&place[..], &["--output", "run"]].concat()))
        .spawn()
        .unwrap();
    wait_for_steps(&work, "run", 8);
    drop(gateway);
    std::thread::sleep(Duration::from_millis(1500));
    let _gateway = Gateway::open(&port, &server.url);
    let run = finish(run);
    let words = "may have restarted with an older state); continuing from tinker://";
    assert!(run.stderr.contains(words), "{}", run.stderr);
    assert_eq!(losses(&run.json()), losses(&whole));
}

#[test]
fn a_lost_run_without_a_checkpoint_ends_with_advice() {
    let work = workplace();
    let port = free_port();
    let data = ["--data-dir", "data"];
    let server = Server::start_at(&work, &port, &data);
    let place = ["--base-url", &server.url.clone(), "--output", "run"];
    let run = work.command(&words(TRAIN, &place)).spawn().unwrap();
    wait_for_steps(&work, "run", 2);
    drop(server);
    let _server = Server::start_at(&work, &port, &data);
    let run = finish(run);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("--save-every"), "{}", run.stderr);
}

#[test]
fn a_server_that_starts_late_is_waited_for() {
    let work = workplace();
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let wait = work
        .command(&["wait", &url, "--timeout", "60", "--json"])
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    let _server = Server::start_at(&work, &port, &[]);
    let run = finish(wait);
    let ready = run.json();
    assert_eq!(ready["url"], url);
    assert_eq!(ready["adapter"], "tinker-local/tiny");
    assert!(ready["seconds"].as_f64().unwrap() > 1.0);
    assert!(run.stderr.contains("waiting"), "{}", run.stderr);
}

#[test]
fn a_server_without_an_engine_is_not_ready() {
    let work = workplace();
    let stand_in = StandIn::start();
    let run = work.run(&["wait", &stand_in, "--timeout", "4"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(
        run.stderr.contains("has not created an adapter on m"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("is not ready after 4.0 s"),
        "{}",
        run.stderr
    );
    // A session needs no engine.
    let session = work.run(&[
        "wait",
        &stand_in,
        "--timeout",
        "4",
        "--session-only",
        "--json",
    ]);
    assert_eq!(session.json()["adapter"], Value::Null);
}

#[test]
fn nothing_at_the_address_ends_in_time_with_the_reason() {
    let work = workplace();
    let url = format!("http://127.0.0.1:{}", free_port());
    let began = Instant::now();
    let run = work.run(&["wait", &url, "--timeout", "2"]);
    assert_eq!(run.code, 1);
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(
        run.stderr.contains("is not ready after 2.0 s"),
        "{}",
        run.stderr
    );
}

/// A server that accepts everything, and whose engine never does anything.
pub(crate) struct StandIn;

impl StandIn {
    pub(crate) fn start() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                std::thread::spawn(move || answer(socket));
            }
        });
        url
    }
}

fn answer(mut socket: std::net::TcpStream) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    // The head and a small body arrive within a moment.
    socket
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    while let Ok(read) = socket.read(&mut buffer) {
        request.extend_from_slice(&buffer[..read]);
        if read == 0 {
            break;
        }
    }
    let head = String::from_utf8_lossy(&request);
    let path = head
        .split(' ')
        .nth(1)
        .unwrap_or_default()
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let body = match path {
        "get_server_capabilities" => r#"{"supported_models":[{"model_name":"m"}]}"#,
        "create_session" => r#"{"session_id":"s","type":"create_session"}"#,
        "retrieve_future" => r#"{"type":"try_again","request_id":"1","queue_state":"active"}"#,
        "config" => "{}",
        _ => r#"{"request_id":"1","model_id":"1"}"#,
    };
    // No uploads.
    let status = if path.starts_with("external_weights") {
        "404 Not Found"
    } else {
        "200 OK"
    };
    let length = body.len();
    let _ = write!(
        socket,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
}
