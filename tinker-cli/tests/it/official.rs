//! The commands beside those of the official command line, on the answers that were recorded for it: the same facts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::program::{Run, Workplace};
use crate::snapshot;

const S1: &str = "tinker://sess-1:train:0/weights/s1";
const S0: &str = "tinker://sess-1:train:0/weights/s0";
const RUN: &str = "sess-1:train:0";
const DAY: &str = "2026-07-13T00:00:00Z";
const NEXT: &str = "2026-07-14T00:00:00Z";

/// Recording, our command, its exit code.
const CASES: [(&str, &[&str], i32); 20] = [
    ("model_list", &["model", "list"], 0),
    ("model_list_filter_json", &["model", "list", "QWEN"], 0),
    ("run_list_table", &["run", "list"], 0),
    (
        "run_list_columns",
        &[
            "run",
            "list",
            "--columns",
            "id,checkpoint,checkpoint_time,owner",
        ],
        0,
    ),
    ("run_list_json", &["run", "list", "--limit", "2"], 0),
    ("run_info", &["run", "info", RUN], 0),
    ("run_info_404", &["run", "info", "x"], 1),
    ("checkpoint_list", &["checkpoint", "list"], 0),
    (
        "checkpoint_list_run_json",
        &["checkpoint", "list", "--run-id", RUN],
        0,
    ),
    ("checkpoint_publish", &["checkpoint", "publish", S1], 0),
    ("checkpoint_unpublish", &["checkpoint", "unpublish", S1], 0),
    (
        "checkpoint_set_ttl_remove",
        &["checkpoint", "set-ttl", S1, "--remove"],
        0,
    ),
    // The official command ends with 0 although one checkpoint could not be deleted.
    (
        "checkpoint_delete_json",
        &["checkpoint", "delete", "-y", S1, S0],
        1,
    ),
    (
        "checkpoint_delete_run_filter",
        &[
            "checkpoint",
            "delete",
            "--run-id",
            RUN,
            "--filter",
            "type=training",
            "--filter",
            "created<2025-06-01",
            "--yes",
        ],
        0,
    ),
    (
        "checkpoint_download_external",
        &["checkpoint", "download", "tinker://r/external_weights/e1"],
        0,
    ),
    (
        "session_export_trace_file",
        &["session", "export-trace", "s1"],
        0,
    ),
    (
        "session_export_trace_url",
        &["session", "export-trace", "s1", "--url-only"],
        0,
    ),
    ("billing_usage_json", &["billing", "usage", DAY, NEXT], 0),
    ("billing_usage_table", &["billing", "usage", DAY, NEXT], 0),
    (
        "billing_checkpoint_storage_json",
        &["billing", "checkpoint-storage", "--project-id", "p"],
        0,
    ),
];

/// Recorded answers: status and body, by method and path.
type Answers = BTreeMap<String, (u64, String)>;

/// A recorded exchange, by its folder and name.
pub(crate) fn recording(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/vectors");
    let text = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// A server with the answers of a recording, and its address.
pub(crate) fn serve(recording: &Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut answers = Answers::new();
    let config = recording["client_config_served"].to_string();
    answers.insert("POST /api/v1/client/config".to_owned(), (200, config));
    for exchange in recording["exchanges"].as_array().unwrap() {
        let (request, response) = (&exchange["request"], &exchange["response"]);
        let key = format!(
            "{} {}",
            request["method"].as_str().unwrap(),
            request["path"].as_str().unwrap()
        );
        let body = &response["body"];
        let text = match body["kind"].as_str().unwrap() {
            "json" => body["json"].to_string(),
            "text" => body["text"].as_str().unwrap().to_owned(),
            _ => String::new(),
        };
        answers.insert(
            key,
            (
                response["status"].as_u64().unwrap(),
                redirected(&text, &url),
            ),
        );
    }
    let answers = Arc::new(answers);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answers = Arc::clone(&answers);
            std::thread::spawn(move || answer(&stream.unwrap(), &answers));
        }
    });
    url
}

/// The text with links to the recorded server as links to this one.
fn redirected(text: &str, url: &str) -> String {
    let mut parts = text.split("http://127.0.0.1:");
    let mut new = parts.next().unwrap().to_owned();
    for part in parts {
        new += url;
        new += part.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    new
}

fn answer(mut stream: &TcpStream, answers: &Answers) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let lower = head.to_lowercase();
        let length = lower
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.lines().next());
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        reader.read_exact(&mut body).unwrap();
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let key = format!("{method} {}", target.split('?').next().unwrap());
        let missing = (404, r#"{"detail":"not recorded"}"#.to_owned());
        let (status, body) = answers.get(&key).unwrap_or(&missing);
        let head = format!("HTTP/1.1 {status} Status\r\ncontent-type: application/json");
        let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn run(work: &Workplace, url: &str, arguments: &[&str]) -> Run {
    let mut command = work.command(arguments);
    command
        .env("TINKER_BASE_URL", url)
        .env("TINKER_API_KEY", "tml-test-key");
    Run::of(command.output().unwrap())
}

/// The values of an object that are facts, in one form for times.
fn facts(value: &Value, found: &mut BTreeSet<String>) {
    /// Positions of pages; texts of the program itself; paths of this machine.
    const NOT_FACTS: [&str; 6] = ["cursor", "error", "destination", "url", "expires", "urls"];
    match value {
        Value::Object(fields) => {
            for (_, value) in fields
                .iter()
                .filter(|(name, _)| !NOT_FACTS.contains(&name.as_str()))
            {
                facts(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| facts(value, found)),
        Value::Null => {}
        Value::String(text) => {
            let text = text
                .replace(' ', "T")
                .replace("+00:00", "Z")
                .replace(".123456", "");
            // Some answers have times without an offset.
            found.insert(text.trim_end_matches('Z').to_owned());
        }
        other => {
            found.insert(other.to_string());
        }
    }
}

/// All JSON values of an output.
fn json_of(text: &str) -> Vec<Value> {
    let values = serde_json::Deserializer::from_str(text).into_iter();
    values.map(Result::unwrap).collect()
}

#[test]
fn every_recorded_command_shows_the_same_facts() {
    let mut faults = Vec::new();
    for (name, arguments, code) in CASES {
        let (work, recording) = (Workplace::new(), recording(&format!("cli/{name}")));
        let url = serve(&recording);
        let text = run(&work, &url, arguments);
        if text.code != code {
            faults.push(format!("{name} ends with {}: {}", text.code, text.stderr));
            continue;
        }
        let table = redirected(&text.stdout, "http://SERVER");
        snapshot::check(&format!("{name}.txt"), &table);
        let is_table = !name.starts_with("checkpoint_delete") && !name.starts_with("session");
        let fits = |line: &str| !is_table || line.chars().count() <= 80;
        assert!(table.lines().all(fits), "{name}: {table}");

        let work = Workplace::new();
        let json = run(&work, &url, &[arguments, &["--json"]].concat());
        assert_eq!(json.code, code, "{name}: {}", json.stderr);
        let mut ours = BTreeSet::new();
        for value in json_of(&json.stdout) {
            facts(&value, &mut ours);
        }
        let mut official = BTreeSet::new();
        let printed = recording["stdout"].as_str().unwrap();
        if printed.starts_with('{') {
            for value in json_of(printed) {
                facts(&value, &mut official);
            }
        } else if name == "checkpoint_delete_run_filter" {
            // The list that it selects from is not printed.
            official.insert(S0.to_owned());
        } else if name == "session_export_trace_url" {
            // The output is the URL.
            assert_eq!(printed.replace("BASE_URL", &url), text.stdout);
        } else if code == 0 {
            for exchange in recording["exchanges"].as_array().unwrap() {
                facts(&exchange["response"]["body"]["json"], &mut official);
            }
        }
        let files = recording["files"].as_array().into_iter().flatten();
        for file in files.map(|file| file.as_str().unwrap()) {
            assert!(work.path(file).is_file(), "{name}: {file}");
        }
        // An address contains the id of its run.
        let is_shown = |fact: &String| {
            let is_part = |ours: &String| fact.len() > 6 && ours.contains(fact.as_str());
            ours.contains(fact) || ours.iter().any(is_part) || json.stderr.contains(fact.as_str())
        };
        let missing = official.iter().filter(|fact| !is_shown(fact));
        let missing: Vec<&String> = missing.collect();
        assert!(
            missing.is_empty(),
            "{name} lacks {missing:?}: {}",
            json.stdout
        );
    }
}

/// Commands with their subcommands, from the help of the program.
pub(crate) fn commands(work: &Workplace, prefix: &[String], found: &mut Vec<Vec<String>>) {
    let mut words: Vec<&str> = prefix.iter().map(String::as_str).collect();
    words.push("--help");
    let help = work.run(&words);
    assert_eq!(help.code, 0, "{prefix:?}");
    found.push(prefix.to_vec());
    let Some((_, list)) = help.stdout.split_once("\nCommands:\n") else {
        return;
    };
    for line in list.lines().take_while(|line| !line.is_empty()) {
        let is_name = line.starts_with("  ") && !line.starts_with("   ");
        let name = line.split_whitespace().next().unwrap_or_default();
        if is_name && name != "help" {
            commands(work, &[prefix, &[name.to_owned()]].concat(), found);
        }
    }
}

#[test]
fn help_of_every_command_has_examples() {
    let work = Workplace::new();
    let mut found = Vec::new();
    commands(&work, &[], &mut found);
    assert!(found.len() > 40, "{found:?}");
    let (mut all, mut with_examples) = (String::new(), BTreeSet::new());
    for command in &found {
        let mut words: Vec<&str> = command.iter().map(String::as_str).collect();
        words.push("--help");
        let help = work.run(&words).stdout;
        // A group has examples, or each of its actions.
        let is_group = help.contains("\nCommands:\n");
        if help.contains("Examples:") {
            with_examples.extend(command.first());
        } else if command.len() == 1 && !is_group && command[0] != "version" {
            panic!("{command:?} has no examples");
        }
        all.extend(["$ tinker ", &words.join(" "), "\n", &help, "\n"]);
    }
    let groups = found
        .iter()
        .filter(|command| command.len() == 1 && command[0] != "version");
    for group in groups {
        assert!(
            with_examples.contains(&group[0]),
            "{group:?} has no examples"
        );
    }
    snapshot::check("help.txt", &all);
}
