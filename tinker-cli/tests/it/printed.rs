//! Text and JSON of the commands that manage runs and checkpoints, as snapshots: those that read a server's state, on the
//! same run. Ids, times and addresses are replaced by names.

use crate::manage::save;
use crate::program::Workplace;
use crate::serve::Server;
use crate::snapshot;
use std::fmt::Write as _;

/// Digits of the id of a session.
const DIGITS: usize = 12;

/// Replaces what differs from run to run. Ids keep their width, so that tables keep theirs.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some(after) = id(rest) {
            masked += "s-000000000000";
            rest = after;
        } else if let Some(after) = time(rest) {
            masked += "TIME";
            rest = after;
        } else {
            masked.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    masked
}

/// The text behind the id of a session.
fn id(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("s-")?.get(..DIGITS)?;
    let is_id = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_id.then(|| &text["s-".len() + DIGITS..])
}

/// The text behind a time.
fn time(text: &str) -> Option<&str> {
    let date = text.get(.."2026-01-01T".len())?;
    let shape = |byte: u8| if byte.is_ascii_digit() { b'0' } else { byte };
    let is_date = date.bytes().map(shape).eq(*b"0000-00-00T");
    let (_, after) = text.split_once('Z').filter(|_| is_date)?;
    Some(after)
}

#[test]
fn tables_and_json_of_the_commands_are_as_recorded() {
    let work = Workplace::new();
    let run = save(&work, &["a", "b"]);
    let session = run.split(':').next().unwrap();
    let a = format!("tinker://{run}/weights/a");
    let server = Server::start_with(&work, &["--data-dir", "data"]);
    let place = std::fs::canonicalize(work.path(".")).unwrap();
    let mut all = String::new();
    for command in [
        &["run", "list"][..],
        &["run", "info", &run],
        &["checkpoint", "list"],
        &["checkpoint", "search", "--type", "training"],
        &["checkpoint", "info", &a],
        &["checkpoint", "delete", &a, "--dry-run"],
        &["checkpoint", "publish", &a, "--dry-run"],
        &["session", "list"],
        &["session", "search", "--status", "success"],
        &["session", "info", session],
        &["model", "list"],
        &["model", "info", "tinker-local/tiny"],
        &["billing", "storage"],
        &["audit", "--events", "checkpoints"],
        &["auth", "status"],
        &["project", "assign", "p1", session],
        &["unload"],
    ] {
        for form in [&[][..], &["--json"]] {
            let server = ["--base-url", &server.url];
            let words = [command, form].concat();
            let printed = work.run(&[&words[..], &server].concat());
            assert_eq!(printed.code, 0, "{command:?}: {}", printed.stderr);
            let text = format!("$ tinker {}\n{}\n", words.join(" "), printed.stdout);
            all += &text;
        }
    }
    let copy = ["checkpoint", "copy", &a, "--project", "p"];
    let b = format!("tinker://{run}/weights/b");
    for command in [
        &copy[..],
        &["checkpoint", "ttl", &a, "--ttl", "7d"],
        &["checkpoint", "publish", &a],
        &["checkpoint", "unpublish", &a, "--json"],
        &["checkpoint", "download", &a, "--output", "out"],
        &["checkpoint", "download", &a, "--output", "again", "--json"],
        &["checkpoint", "import", "out"],
        &["checkpoint", "import", "out", "--json"],
        &["checkpoint", "delete", &a, "--yes"],
        &["checkpoint", "delete", &b, "--yes", "--json"],
    ] {
        let place = ["--base-url", &server.url];
        let printed = work.run(&[command, &place].concat());
        assert_eq!(printed.code, 0, "{command:?}: {}", printed.stderr);
        writeln!(all, "$ tinker {}\n{}", command.join(" "), printed.stdout).unwrap();
    }
    let all = all.replace(&server.url, "http://SERVER");
    let all = all.replace(&place.display().to_string(), "FOLDER");
    snapshot::check("printed.txt", &masked(&all));
}

#[test]
fn ids_and_times_are_masked() {
    let text = "s-57ee5bb85485:train:0 at 2026-11-30T16:00:15.7Z, s-list of 2026-11-30";
    let expected = "s-000000000000:train:0 at TIME, s-list of 2026-11-30";
    assert_eq!(masked(text), expected);
}
