//! Tests of lists that are watched.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command};

use serde_json::Value;

use crate::manage::save;
use crate::program::{Run, Workplace};
use crate::serve::Server;

/// A program that watches, until it is stopped.
pub(crate) struct Watching {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Watching {
    pub(crate) fn start(work: &Workplace, url: &str, arguments: &[&str]) -> Self {
        let more = ["--watch=1", "--json", "--quiet", "--base-url", url];
        let mut child = work.command(&[arguments, &more].concat()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// The next line of the output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// Kind and checkpoint of the next change.
    fn change(&mut self) -> (String, String) {
        let change: Value = serde_json::from_str(&self.line()).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let id = text(&change["object"]["checkpoint_id"]);
        (text(&change["change"]), id)
    }

    /// Stops the program.
    pub(crate) fn stop(mut self) -> Run {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(sent.success());
        let mut run = Run {
            code: self.child.wait().unwrap().code().unwrap(),
            stdout: String::new(),
            stderr: String::new(),
        };
        self.stdout.read_to_string(&mut run.stdout).unwrap();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut run.stderr).unwrap();
        run
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // After a failed test it may still run.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_watched_list_prints_what_changes() {
    let work = Workplace::new();
    let run = save(&work, &["a", "b"]);
    let server = Server::start_with(&work, &["--data-dir", "data"]);
    let url = server.url.as_str();
    let of_run = ["checkpoint", "list", "--run", &run, "--limit", "0"];
    let mut watching = Watching::start(&work, url, &of_run);
    let change = |change: &str, id: &str| (change.to_owned(), id.to_owned());
    for id in ["sampler_weights/s1", "weights/a", "weights/b"] {
        assert_eq!(watching.change(), change("added", id));
    }
    let [a, b] = ["a", "b"].map(|name| format!("tinker://{run}/weights/{name}"));
    let checkpoint = |arguments: &[&str]| {
        let done = [&["checkpoint"][..], arguments, &["--base-url", url]].concat();
        assert_eq!(work.run(&done).code, 0);
    };
    checkpoint(&["publish", &a]);
    assert_eq!(watching.change(), change("changed", "weights/a"));
    checkpoint(&["delete", &b, "--yes"]);
    assert_eq!(watching.change(), change("removed", "weights/b"));
    let stopped = watching.stop();
    assert_eq!((stopped.code, stopped.stderr.as_str()), (130, ""));

    let mut watching = Watching::start(&work, url, &["run", "info", &run]);
    let first: Value = serde_json::from_str(&watching.line()).unwrap();
    assert_eq!(first["object"]["training_run_id"], run);
    watching.stop();

    for (options, why) in [
        (&["run", "list", "--watch"][..], "needs a terminal"),
        (&["run", "info", "latest", "--watch"], "needs a terminal"),
        (&["run", "list", "--watch=0", "--json"], "--watch"),
    ] {
        let refused = work.run(&[options, &["--base-url", url]].concat());
        assert!(
            refused.code == 2 && refused.stderr.contains(why),
            "{}",
            refused.stderr
        );
    }
}
