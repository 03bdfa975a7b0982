//! Tests of `tinker serve`, with the other commands as clients.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command};

use crate::program::{Run, Workplace};

pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    fn start(work: &Workplace) -> Self {
        Self::start_with(work, &[])
    }

    pub(crate) fn start_with(work: &Workplace, more: &[&str]) -> Self {
        Self::start_at(work, "0", more)
    }

    pub(crate) fn start_at(work: &Workplace, port: &str, more: &[&str]) -> Self {
        let serve = ["serve", "--port", port, "--quiet"];
        let mut child = work.command(&[&serve[..], more].concat()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line
            .strip_prefix("listening on ")
            .expect("the address is printed first")
            .trim()
            .to_owned();
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The test may have ended it already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A sample that is the same in every run.
const SAMPLE: [&str; 7] = [
    "sample",
    "Hello",
    "--max-tokens",
    "4",
    "--seed",
    "1",
    "--json",
];

#[test]
fn a_server_leaves_its_address_while_it_runs() {
    let work = Workplace::new();
    let file = work.path(".local/state/tinker/server.json");
    let mut server = Server::start_with(&work, &["--substitute-loss", "new=ppo"]);
    for _ in 0..2000 {
        if file.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let address: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(address["url"], server.url);
    assert_eq!(address["pid"], server.child.id());
    assert!(address["started"].as_str().unwrap().starts_with("20"));
    let pid = server.child.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(server.child.wait().unwrap().success());
    assert!(!file.exists());
    for (given, why) in [
        ("x", "give two losses"),
        ("ppo=dro", "can't be computed as dro"),
    ] {
        let run = work.run(&["serve", "--port", "0", "--substitute-loss", given]);
        assert!(run.code != 0 && run.stderr.contains(why), "{}", run.stderr);
    }
}

#[test]
fn other_commands_use_a_server() {
    let work = Workplace::new();
    work.write_examples("data.jsonl", 40);
    let server = Server::start(&work);
    let there = work
        .run(&[&SAMPLE[..], &["--base-url", &server.url]].concat())
        .json();
    let here = Workplace::new().run(&SAMPLE).json();
    assert_eq!(
        there["samples"], here["samples"],
        "the same engine, with and without a socket"
    );

    let train = [
        "train",
        "data.jsonl",
        "--steps",
        "2",
        "--output",
        "run",
        "--base-url",
        &server.url,
    ];
    let run = work.run(&train);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stdout
            .lines()
            .last()
            .unwrap()
            .contains(&format!("--base-url {}", server.url))
    );

    let second = work.run(&["sample", "Hello"]);
    assert_eq!(second.code, 0, "{}", second.stderr);
    assert!(
        second.stderr.contains(&server.url),
        "the running server is used and named: {}",
        second.stderr
    );
    let second = work.run(&["sample", "Hello", "--local"]);
    assert_eq!(
        second.code, 1,
        "the folder of checkpoints belongs to the server"
    );
    assert!(second.stderr.contains("is in use"), "{}", second.stderr);
}

#[test]
fn a_port_in_use_is_an_error() {
    let work = Workplace::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let run = work.run(&["serve", "--port", &port]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr.contains("is in use; choose another --port"),
        "{}",
        run.stderr
    );
}

#[cfg(unix)]
#[test]
fn a_server_stops_at_sigterm() {
    let work = Workplace::new();
    let mut server = Server::start(&work);
    let sent = Command::new("kill")
        .args(["-TERM", &server.child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

/// A folder of a model without a tokenizer, and a tokenizer in another folder.
#[cfg(feature = "tokenizers")]
#[test]
fn the_tokenizer_is_the_one_that_the_server_reports() {
    let work = Workplace::new();
    assert_eq!(
        work.run(&["export", "tinker-local/tiny", "--out", "tiny"])
            .code,
        0
    );
    let bare = work.path("bare");
    std::fs::create_dir(&bare).unwrap();
    for name in ["config.json", "model.safetensors", "generation_config.json"] {
        let _may_be_missing = std::fs::copy(work.path("tiny").join(name), bare.join(name));
    }
    let server = Server::start_with(&work, &["--model", "mine=tiny", "--model", "org/bare=bare"]);
    let sample = |more: &[&str]| work.run(&[&SAMPLE[..], more].concat());
    let expected = sample(&["--local", "--data-dir", "other"]).json()["samples"].clone();
    let there = |model: &str, more: &[&str]| {
        sample(&[&["--base-url", &server.url, "--model", model][..], more].concat())
    };
    assert_eq!(there("mine", &[]).json()["samples"], expected);

    let mut offline = work.command(
        &[
            &SAMPLE[..],
            &["--base-url", &server.url, "--model", "org/bare"],
        ]
        .concat(),
    );
    let missing = Run::of(offline.env("HF_HUB_OFFLINE", "1").output().unwrap());
    assert_eq!(missing.code, 1, "{}", missing.stderr);
    for part in [
        "tinker pull org/bare --tokenizer-only",
        "--tokenizer",
        "HF_HUB_OFFLINE",
    ] {
        assert!(missing.stderr.contains(part), "{}", missing.stderr);
    }
    assert_eq!(
        there("org/bare", &["--tokenizer", "tiny"]).json()["samples"],
        expected
    );
    let hub = work.path(".cache/huggingface/hub/models--org--bare");
    for (folder, file, text) in [
        ("refs", "main", "abc".to_owned()),
        (
            "snapshots/abc",
            "tokenizer.json",
            std::fs::read_to_string(work.path("tiny/tokenizer.json")).unwrap(),
        ),
    ] {
        std::fs::create_dir_all(hub.join(folder)).unwrap();
        std::fs::write(hub.join(folder).join(file), text).unwrap();
    }
    assert_eq!(there("org/bare", &[]).json()["samples"], expected);

    std::fs::rename(work.path("tiny"), work.path("moved")).unwrap();
    let moved = there("mine", &[]);
    assert_eq!(moved.code, 2, "{}", moved.stderr);
    for part in ["on the server's machine", "--tokenizer"] {
        assert!(moved.stderr.contains(part), "{}", moved.stderr);
    }
}

#[test]
fn only_the_given_keys_are_accepted_and_each_has_its_own_lists() {
    let work = Workplace::new();
    work.write("keys.txt", "# two people\ntml-alice\n\n  tml-bob  \n");
    let server = Server::start_with(&work, &["--api-key-file", "keys.txt"]);
    let run = |key: Option<&str>, arguments: &[&str]| {
        let mut command = work.command(&[arguments, &["--base-url", &server.url]].concat());
        if let Some(key) = key {
            command.env("TINKER_API_KEY", key);
        }
        Run::of(command.output().unwrap())
    };
    for key in [None, Some("tml-carol")] {
        let refused = run(key, &SAMPLE);
        assert_eq!(refused.code, 1, "{}", refused.stderr);
        assert!(refused.stderr.contains("API key"), "{}", refused.stderr);
        assert!(!refused.stderr.contains("tml-carol"), "{}", refused.stderr);
    }
    work.write_examples("data.jsonl", 40);
    let train = ["train", "data.jsonl", "--steps", "1", "--output", "run"];
    let trained = run(Some("tml-alice"), &train);
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    for (key, has) in [("tml-alice", true), ("tml-bob", false)] {
        let listed = run(Some(key), &["checkpoint", "list", "--json"]);
        assert_eq!(listed.code, 0, "{}", listed.stderr);
        assert_eq!(
            listed.stdout.contains("tinker://"),
            has,
            "{}",
            listed.stdout
        );
    }
}

#[test]
fn keys_that_cannot_be_used_stop_the_server_and_are_not_shown() {
    let work = Workplace::new();
    work.write("empty.txt", "# none\n");
    let serve = ["serve", "--port", "0"];
    for (more, variable, why) in [
        (&["--api-key", "tml two"][..], None, "visible ASCII"),
        (&["--api-key-file", "empty.txt"], None, "has no API key"),
        (&["--api-key-file", "none.txt"], None, "can't be read"),
        (&[], Some(""), "it is empty"),
        (&[], Some("tml-a,tml two"), "visible ASCII"),
    ] {
        let mut command = work.command(&[&serve[..], more].concat());
        if let Some(keys) = variable {
            command.env("TINKER_SERVE_API_KEYS", keys);
        }
        let run = Run::of(command.output().unwrap());
        assert_ne!(run.code, 0);
        assert!(run.stderr.contains(why), "{}", run.stderr);
        assert!(!run.stderr.contains("tml two"), "{}", run.stderr);
    }
    let mut plan = work.command(&[
        "serve",
        "plan",
        "--server",
        "skyrl",
        "--model",
        "Qwen/Qwen3-8B",
        "--gpus",
        "8",
    ]);
    let plan = Run::of(plan.env("TINKER_SERVE_API_KEYS", "tml-a").output().unwrap());
    assert_eq!(plan.code, 0, "the variable is no argument: {}", plan.stderr);
}
