//! Tests of Ctrl-C in the commands that manage runs and checkpoints. A relay in front of the server holds requests back, so
//! that the signal always comes while one is in progress.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use crate::bulk::long_list;
use crate::manage::{save, with_run};
use crate::program::{Run, Workplace, names};
use crate::relay::{forward, listen, message};
use crate::serve::Server;

/// Largest number of requests that a deletion starts at once.
const PARALLEL: usize = 32;

/// A door that is closed until it is opened.
#[derive(Default)]
struct Door {
    is_open: Mutex<bool>,
    changed: Condvar,
}

impl Door {
    fn pass(&self) {
        let is_open = self.is_open.lock().unwrap();
        drop(self.changed.wait_while(is_open, |is_open| !*is_open));
    }

    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

/// A relay that holds some requests back.
struct Relay {
    url: String,
    held: Receiver<()>,
    door: Arc<Door>,
}

impl Relay {
    /// Relays to a server. Requests whose first line has one of these texts are held before they reach it.
    fn start(server: &str, holds: &'static [&'static str]) -> Self {
        let upstream = server.strip_prefix("http://").unwrap().to_owned();
        let (sender, held) = channel();
        let door = Arc::new(Door::default());
        let shared = Arc::clone(&door);
        let url = listen(move |mut stream: TcpStream| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let Some((head, body)) = message(&mut reader) else {
                return;
            };
            let line = head.lines().next().unwrap();
            if holds.iter().any(|part| line.contains(part)) {
                // The test may be over.
                let _ = sender.send(());
                shared.pass();
            }
            if let Some(answer) = forward(&upstream, &head, &body) {
                // The server closes its connection, and so does the relay.
                let _ = stream.write_all(&answer);
            }
        });
        Self { url, held, door }
    }

    /// Waits until requests are held back.
    fn wait_for(&self, count: usize) {
        for _ in 0..count {
            self.held.recv().unwrap();
        }
    }
}

/// A program that is about to be stopped.
struct Stopping {
    child: Child,
    /// Read all the time, so that a long output does not block the program.
    stdout: Option<JoinHandle<String>>,
    stderr: BufReader<ChildStderr>,
    lines: String,
}

impl Stopping {
    fn start(work: &Workplace, url: &str, arguments: &[&str]) -> Self {
        let arguments = [arguments, &["--base-url", url]].concat();
        let mut child = work.command(&arguments).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let stdout = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).map(|_| text).unwrap()
        });
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self {
            child,
            stdout: Some(stdout),
            stderr,
            lines: String::new(),
        }
    }

    fn interrupt(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Reads stderr up to a line with this text.
    fn until(&mut self, part: &str) {
        while !self.lines.contains(part) {
            let read = self.stderr.read_line(&mut self.lines).unwrap();
            assert!(read > 0, "{}", self.lines);
        }
    }

    /// Waits for the end. It is that of a stopped program.
    fn end(mut self) -> Run {
        self.stderr.read_to_string(&mut self.lines).unwrap();
        let run = Run {
            code: self.child.wait().unwrap().code().unwrap(),
            stdout: self.stdout.take().unwrap().join().unwrap(),
            stderr: std::mem::take(&mut self.lines),
        };
        assert_eq!(run.code, 130, "{}", run.stderr);
        assert!(!run.stderr.contains("error"), "{}", run.stderr);
        run
    }
}

impl Drop for Stopping {
    fn drop(&mut self) {
        // After a failed test it may still run.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn json(run: &Run) -> serde_json::Value {
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn a_stopped_deletion_finishes_what_was_started_and_names_the_rest() {
    let work = Workplace::new();
    let run = with_run(&work, async |training| {
        for at in 0..PARALLEL + 8 {
            let saved = training.save_weights_for_sampler(format!("s-{at}"));
            saved.await.unwrap();
        }
    });
    let server = Server::start_with(&work, &["--data-dir", "data"]);
    let relay = Relay::start(&server.url, &["DELETE "]);
    let delete = ["checkpoint", "delete", "--run", &run, "--yes", "--json"];
    let mut child = Stopping::start(&work, &relay.url, &delete);
    relay.wait_for(1);
    child.interrupt();
    child.until("stopping after the started requests");
    relay.door.open();
    let stopped = child.end();
    let outcome = json(&stopped);
    let deleted = outcome["deleted"].as_array().unwrap().len();
    let mut left: Vec<String> = serde_json::from_value(outcome["left"].clone()).unwrap();
    // The request that was held back is awaited, and at most so many were started.
    assert!((1..=PARALLEL).contains(&deleted), "{deleted}");
    assert_eq!(deleted + left.len(), PARALLEL + 8);
    let line = format!("deleted, {} not", left.len());
    assert!(stopped.stderr.contains(&line), "{}", stopped.stderr);

    let list = ["checkpoint", "list", "--run", &run, "--limit", "0"];
    let csv = ["--columns", "path", "--csv", "--base-url", &server.url];
    let list = work.run(&[&list[..], &csv].concat());
    let mut listed: Vec<&str> = list.stdout.lines().skip(1).collect();
    listed.sort_unstable();
    left.sort_unstable();
    assert_eq!(listed, left);
}

#[test]
fn a_deletion_that_is_stopped_before_it_began_deletes_nothing() {
    let work = Workplace::new();
    save(&work, &["a"]);
    let server = Server::start_with(&work, &["--data-dir", "data"]);
    let relay = Relay::start(&server.url, &["/checkpoints?"]);
    let delete = ["checkpoint", "delete", "--all", "--filter", "size>0"];
    let child = Stopping::start(&work, &relay.url, &[&delete[..], &["--yes"]].concat());
    relay.wait_for(1);
    child.interrupt();
    let stopped = child.end();
    assert!(
        stopped.stderr.contains("stopped: nothing was deleted"),
        "{}",
        stopped.stderr
    );
    assert_eq!(stopped.stdout, "");
}

#[test]
fn a_stopped_list_has_the_rows_that_were_read() {
    let work = Workplace::new();
    let relay = Relay::start(&listen(long_list), &["offset=1000"]);
    let list = ["checkpoint", "list", "--limit", "0", "--json"];
    let stop = |arguments: &[&str]| {
        let child = Stopping::start(&work, &relay.url, arguments);
        relay.wait_for(1);
        child.interrupt();
        child.end()
    };
    let stopped = stop(&list);
    assert_eq!(stopped.stdout.lines().count(), 1000);
    for line in stopped.stdout.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    let line = "stopped: 1,000 checkpoints read, 1,000 shown; the list is not complete";
    assert!(stopped.stderr.contains(line), "{}", stopped.stderr);
    // The first rows of an order are not known.
    let stopped = stop(&[&list[..], &["--sort", "size"]].concat());
    assert_eq!(stopped.stdout, "");
    assert!(
        stopped.stderr.contains("1,000 checkpoints read, 0 shown"),
        "{}",
        stopped.stderr
    );
}

#[test]
fn a_stopped_change_names_what_is_left() {
    let work = Workplace::new();
    let run = save(&work, &["a", "b"]);
    let server = Server::start_with(&work, &["--data-dir", "data"]);
    let relay = Relay::start(&server.url, &["/publish"]);
    let [a, b] = ["a", "b"].map(|name| format!("tinker://{run}/weights/{name}"));
    let publish = ["checkpoint", "publish", &a, &b, "--json"];
    let mut child = Stopping::start(&work, &relay.url, &publish);
    relay.wait_for(1);
    child.interrupt();
    child.until("stopping after the started requests");
    relay.door.open();
    let outcome = json(&child.end());
    assert_eq!(outcome["tinker_paths"], serde_json::json!([a]));
    assert_eq!(outcome["left"], serde_json::json!([b]));
    let is_public = |path: &str| {
        let info = ["checkpoint", "info", path, "--json"];
        let info = [&info[..], &["--base-url", &server.url]].concat();
        work.run(&info).json()["public"].as_bool().unwrap()
    };
    assert!(is_public(&a) && !is_public(&b));
    // A failure ends the work as well, and what was done before is printed.
    let failed = ["checkpoint", "publish", &b, &a, "--json"];
    let failed = work.run(&[&failed[..], &["--base-url", &server.url]].concat());
    assert_eq!(failed.code, 1);
    assert!(failed.stderr.contains("error"), "{}", failed.stderr);
    let outcome = json(&failed);
    assert_eq!(outcome["tinker_paths"], serde_json::json!([b]));
    assert_eq!(outcome["left"], serde_json::json!([a]));
}

#[test]
fn a_stopped_download_is_continued_by_the_next_call() {
    let work = Workplace::new();
    let run = save(&work, &["a"]);
    let server = Server::start_with(&work, &["--data-dir", "data"]);
    let relay = Relay::start(&server.url, &[".tar"]);
    let address = format!("tinker://{run}/weights/a");
    let download = ["checkpoint", "download", &address, "--output", "out"];
    let child = Stopping::start(&work, &relay.url, &download);
    relay.wait_for(1);
    child.interrupt();
    let stopped = child.end();
    assert_eq!(stopped.stdout, "");
    assert!(
        stopped.stderr.contains("the next call continues"),
        "{}",
        stopped.stderr
    );
    relay.door.open();
    let again = work.run(&[&download[..], &["--base-url", &relay.url]].concat());
    assert_eq!((again.code, again.stdout.as_str()), (0, "out\n"));
    assert!(names(&work.path("out")).contains(&"adapter_model.safetensors".to_owned()));
}

#[test]
fn other_commands_end_without_a_word() {
    let work = Workplace::new();
    let run = save(&work, &["a"]);
    let session = run.split(':').next().unwrap();
    let server = Server::start_with(&work, &["--data-dir", "data"]);
    let relay = Relay::start(&server.url, &[" /api/v1/"]);
    let address = format!("tinker://{run}/weights/a");
    for command in [
        &["run", "info", &run][..],
        &["checkpoint", "info", &address],
        &["session", "info", session],
        &["model", "info", "tinker-local/tiny"],
        &["checkpoint", "copy", &address, "--project", "p"],
    ] {
        let child = Stopping::start(&work, &relay.url, &[command, &["--quiet"]].concat());
        relay.wait_for(1);
        child.interrupt();
        let stopped = child.end();
        let output = (stopped.stdout.as_str(), stopped.stderr.as_str());
        assert_eq!(output, ("", ""), "{command:?}");
    }
}
