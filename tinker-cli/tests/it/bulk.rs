//! Tests of the commands with many checkpoints: lists in bounded memory, and deletions under faults.

use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use crate::manage::with_run;
use crate::program::Workplace;
use crate::relay::{faulty, listen, message};
use crate::serve::Server;

/// Number of checkpoints to delete, and of those to keep.
const DOOMED: usize = 250;
const KEPT: usize = 20;

/// A server with a list of 100,000 checkpoints, some of which have fields and types that no version knows.
pub(crate) fn long_list(stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some((head, _)) = message(&mut reader) {
        let target = head.split(' ').nth(1).unwrap();
        let query = |name: &str| -> u64 {
            let query = target
                .split(['?', '&'])
                .find_map(|part| part.strip_prefix(name));
            query.map_or(0, |value| value.parse().unwrap())
        };
        let body = if target.starts_with("/api/v1/checkpoints") {
            let (offset, limit) = (query("offset="), query("limit="));
            let row = |at: u64| {
                let kind = if at % 1000 == 7 {
                    "merged_weights"
                } else {
                    "weights"
                };
                json!({
                    "checkpoint_id": format!("{kind}/c{at}"),
                    "checkpoint_type": if kind == "weights" { "training" } else { "merged" },
                    "time": "2026-01-02T03:04:05Z", "of_tomorrow": {"a": [1]},
                    "tinker_path": format!("tinker://run-{}:train:0/{kind}/c{at}", at / 10),
                    "size_bytes": at, "public": null,
                })
            };
            let rows: Vec<_> = (offset..(offset + limit).min(100_000)).map(row).collect();
            let cursor = json!({"offset": offset, "limit": limit, "total_count": 100_000});
            json!({"checkpoints": rows, "cursor": cursor})
        } else {
            json!({})
        };
        let body = body.to_string();
        let is_last = head.contains("connection: close");
        let close = if is_last { "connection: close\r\n" } else { "" };
        let head = format!("HTTP/1.1 200 OK\r\n{close}content-type: application/json");
        let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(answer.as_bytes()).is_err() || is_last {
            return;
        }
    }
}

#[test]
fn a_hundred_thousand_checkpoints_are_listed_in_bounded_memory() {
    let (work, url) = (Workplace::new(), listen(long_list));
    let list = |more: &str| {
        let tinker = env!("CARGO_BIN_EXE_tinker");
        // Address space: the program maps about half of this before it reads a page.
        let limits = "ulimit -v 1000000; exec timeout 120";
        work.paste(&format!(
            "{limits} {tinker} checkpoint list --base-url {url} --limit 0 {more}"
        ))
    };
    let all = list("--json");
    assert_eq!(
        (all.code, all.stdout.lines().count()),
        (0, 100_000),
        "{}",
        all.stderr
    );
    let odd = list("--filter type=merged --sort -size --columns id,type --csv");
    assert_eq!(odd.stdout.lines().count(), 101, "{}", odd.stderr);
    assert!(
        odd.stdout
            .starts_with("id,type\nmerged_weights/c99007,merged\n"),
        "{}",
        odd.stdout
    );
    let head = work.paste(&format!(
        "{} checkpoint list --base-url {url} --limit 0 --json | head -n 1; exit ${{PIPESTATUS:-0}}",
        env!("CARGO_BIN_EXE_tinker")
    ));
    assert!(!head.stderr.contains("error"), "{}", head.stderr);
    assert_eq!(head.stdout.lines().count(), 1);
}

/// Saves a run with checkpoints `keep-N` and `drop-N`, and returns its id.
fn save(work: &Workplace) -> String {
    with_run(work, async |training| {
        let keep = (0..KEPT).map(|at| format!("keep-{at}"));
        for name in keep.chain((0..DOOMED).map(|at| format!("drop-{at}"))) {
            training.save_weights_for_sampler(name).await.unwrap();
        }
    })
}

#[test]
fn many_checkpoints_are_deleted_once_each_under_faults() {
    let work = Workplace::new();
    let run = save(&work);
    let server = Server::start_with(&work, &["--data-dir", "data"]);
    let upstream = server.url.strip_prefix("http://").unwrap().to_owned();
    let count: &'static AtomicU64 = Box::leak(Box::default());
    let relay = listen(move |stream| {
        faulty(&upstream, count, |head| head.starts_with("DELETE"), stream);
    });
    let delete = [
        "checkpoint",
        "delete",
        "--run",
        &run,
        "--filter",
        "id~/drop-",
        "--yes",
        "--json",
    ];
    let deleted = work.run(&[&delete[..], &["--base-url", &relay]].concat());
    let outcome: serde_json::Value = serde_json::from_str(&deleted.stdout).unwrap();
    let failed = outcome["failed"].as_array().unwrap().len();
    let done = outcome["deleted"].as_array().unwrap().len();
    assert_eq!(done + failed, DOOMED, "{}", deleted.stderr);
    assert_eq!(deleted.code, i32::from(failed > 0));
    assert!(
        count.load(Ordering::Relaxed) > DOOMED as u64 * 6 / 5,
        "there were faults"
    );
    let list = [
        "checkpoint",
        "list",
        "--run",
        &run,
        "--limit",
        "0",
        "--json",
    ];
    let left = work.run(&[&list[..], &["--base-url", &server.url]].concat());
    let left: Vec<serde_json::Value> = left
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kept = left
        .iter()
        .filter(|row| row["checkpoint_id"].as_str().unwrap().contains("/keep-"));
    assert_eq!(kept.count(), KEPT);
    // Deleted checkpoints no longer exist on the server.
    for row in &left {
        assert!(
            !outcome["deleted"]
                .as_array()
                .unwrap()
                .contains(&row["tinker_path"])
        );
    }
    assert!(left.len() <= KEPT + failed);
}
