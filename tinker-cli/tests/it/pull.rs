//! Tests of `tinker pull`, and of tokenizers from the Hub, against a local server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

use crate::program::{Run, Workplace};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

const TOKENIZER: &str = r#"{"version": "1.0", "added_tokens": [], "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}"#;

/// The address of a server that has the repository `org/name`.
fn hub() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || serve(&stream));
        }
    });
    format!("http://{address}")
}

fn serve(mut stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let path = head.split(' ').nth(1).unwrap();
        let (status, headers, body) = match path.rsplit('/').next().unwrap() {
            _ if path.starts_with("/api/models/org/gated") => {
                (401, "X-Error-Code: GatedRepo\r\n", String::new())
            }
            _ if path.starts_with("/api/models/org/other") => (404, "", String::new()),
            "main" => {
                let files =
                    r#"[{"rfilename": "tokenizer.json"}, {"rfilename": "model.safetensors"}]"#;
                (
                    200,
                    "",
                    format!(r#"{{"sha": "{COMMIT}", "siblings": {files}}}"#),
                )
            }
            "tokenizer.json" => (200, "ETag: \"t\"\r\n", TOKENIZER.to_owned()),
            "model.safetensors" => (200, "ETag: \"m\"\r\n", "weights".to_owned()),
            _ => (404, "", String::new()),
        };
        let length = body.len();
        let body = if head.starts_with("HEAD") { "" } else { &body };
        let answer =
            format!("HTTP/1.1 {status} Status\r\n{headers}content-length: {length}\r\n\r\n{body}");
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn run(work: &Workplace, hub: &str, arguments: &[&str]) -> Run {
    let mut command = work.command(arguments);
    command
        .env("HF_ENDPOINT", hub)
        .env("HF_HOME", work.path("hf"));
    Run::of(command.output().unwrap())
}

#[test]
fn a_model_is_fetched_once() {
    let (work, hub) = (Workplace::new(), hub());
    let folder = work.path("hf/hub/models--org--name/snapshots").join(COMMIT);
    let pulled = run(
        &work,
        &hub,
        &["pull", "org/name", "--tokenizer-only", "--json"],
    )
    .json();
    assert_eq!(pulled["folder"], folder.to_str().unwrap());
    assert_eq!(pulled["commit"], COMMIT);
    assert_eq!(pulled["files"].as_array().unwrap().len(), 1);
    assert_eq!(pulled["files"][0]["is_new"], true);
    let pulled = run(&work, &hub, &["pull", "org/name"]);
    assert_eq!(pulled.stdout, format!("{}\n", folder.display()));
    assert!(
        pulled.stderr.contains("1 of 2 files fetched, 7 bytes"),
        "{}",
        pulled.stderr
    );
    assert_eq!(
        std::fs::read_to_string(folder.join("model.safetensors")).unwrap(),
        "weights"
    );
}

#[test]
fn without_the_hub_the_cache_is_the_result() {
    let (work, hub) = (Workplace::new(), hub());
    let fetched = run(&work, &hub, &["pull", "org/name"]);
    let pull = |more: &[&str]| {
        let mut offline = work.command(&[&["pull", "org/name"], more].concat());
        offline
            .env("HF_ENDPOINT", "http://127.0.0.1:9")
            .env("HF_HOME", work.path("hf"))
            .env("HF_HUB_OFFLINE", "1");
        Run::of(offline.output().unwrap())
    };
    let tokenizer = pull(&["--tokenizer-only"]);
    assert_eq!(tokenizer.stdout, fetched.stdout, "{}", tokenizer.stderr);
    let incomplete = pull(&[]);
    assert_eq!(incomplete.code, 1, "the repository has no config.json");
    assert!(incomplete.stderr.contains("HF_HUB_OFFLINE is set"));
    let folder = fetched.stdout.trim();
    std::fs::write(format!("{folder}/config.json"), "{}").unwrap();
    let model = pull(&["--json"]).json();
    assert_eq!(model["folder"], folder);
    assert_eq!(model["files"].as_array().unwrap().len(), 3);
}

#[test]
fn refusals_end_with_advice() {
    let (work, hub) = (Workplace::new(), hub());
    let gated = run(&work, &hub, &["pull", "org/gated"]);
    assert_eq!(gated.code, 1);
    assert!(
        gated
            .stderr
            .contains("org/gated is gated: accept its licence at"),
        "{}",
        gated.stderr
    );
    let missing = run(&work, &hub, &["pull", "org/other"]);
    assert!(
        missing.stderr.contains("org/other does not exist on http"),
        "{}",
        missing.stderr
    );
    let wrong = run(&work, &hub, &["pull", "../name"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("OWNER/NAME"), "{}", wrong.stderr);
}

#[test]
#[cfg_attr(not(feature = "tokenizers"), ignore = "this build reads no tokenizer")]
fn a_tokenizer_is_fetched_when_it_is_needed() {
    let (work, hub) = (Workplace::new(), hub());
    let ask = [
        "sample",
        "a a",
        "--tokenizer",
        "org/name",
        "--max-tokens",
        "1",
        "--json",
    ];
    let first = run(&work, &hub, &ask);
    assert!(
        first.stderr.contains("org/name, from http"),
        "{}",
        first.stderr
    );
    assert_eq!(first.json()["prompt_tokens"], 1);
    // From then on it comes from the cache.
    let second = run(&work, "http://127.0.0.1:9", &ask);
    assert!(!second.stderr.contains("from http"), "{}", second.stderr);
    assert_eq!(second.json()["prompt_tokens"], 1);
    let mut offline = work.command(&["sample", "a", "--tokenizer", "org/other"]);
    offline.env("HF_ENDPOINT", &hub).env("HF_HUB_OFFLINE", "1");
    let offline = Run::of(offline.output().unwrap());
    assert_eq!(offline.code, 1);
    assert!(
        offline.stderr.contains("HF_HUB_OFFLINE is set"),
        "{}",
        offline.stderr
    );
}

#[test]
#[cfg_attr(not(feature = "tokenizers"), ignore = "this build reads no tokenizer")]
fn data_are_checked_with_the_tokenizer_of_a_repository() {
    let (work, hub) = (Workplace::new(), hub());
    work.write("x.jsonl", r#"{"tokens": [0, 0, 0]}"#);
    let check = ["data", "check", "x.jsonl", "--model", "org/name", "--json"];
    let first = run(&work, &hub, &check);
    assert!(
        first.stderr.contains("org/name, from http"),
        "{}",
        first.stderr
    );
    let json = first.json();
    assert_eq!(
        (&json["tokenizer"], &json["tokens"]),
        (&"org/name".into(), &3.into())
    );
    let nowhere = "http://127.0.0.1:9";
    assert_eq!(
        run(&work, nowhere, &check).json()["rows"],
        1,
        "from the cache"
    );
    let gated = ["data", "show", "x.jsonl", "--model", "org/gated"];
    let gated = run(&work, &hub, &gated);
    assert_eq!(gated.code, 1);
    assert!(
        gated.stderr.contains("--model org/gated: is no folder"),
        "{}",
        gated.stderr
    );
    assert!(
        gated.stderr.contains("accept its licence at"),
        "{}",
        gated.stderr
    );
}
