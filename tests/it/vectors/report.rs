//! Page of all recordings.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use super::verdict::Verdict;

const TITLE: &str = "\
# Recordings of the official client

Requests of the official Python client 0.38.0, recorded with the answers that it got and what it made of them. The test
`vectors` of `tinker-tests` makes the same calls with this client on the same answers, and compares requests, order,
waits, results and errors. It writes this page with `UPDATE_SNAPSHOTS=1` and fails if the page is out of date.

";

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
}

/// Prints the number of recordings of each verdict, and compares the page with the one of the documentation.
/// `UPDATE_SNAPSHOTS=1` rewrites it.
#[expect(
    clippy::print_stdout,
    reason = "the counts are what one runs this test for"
)]
pub(crate) fn check(lines: &[Line]) -> io::Result<()> {
    let counts = counts(lines);
    let counts = counts.iter().map(|(word, count)| format!("{count} {word}"));
    println!("vectors: {}", counts.collect::<Vec<_>>().join(", "));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/recordings.md");
    let page = page(lines);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        return fs::write(path, page);
    }
    assert!(
        fs::read_to_string(path)? == page,
        "docs/recordings.md is not what this test found; UPDATE_SNAPSHOTS=1 rewrites it"
    );
    Ok(())
}

/// The message of a failed row.
pub(crate) fn failure(line: &Line) -> Option<String> {
    let Verdict::Failed(reasons) = &line.verdict else {
        return None;
    };
    Some(format!("{}\n    {}", line.name, reasons.join("\n    ")))
}

fn counts(lines: &[Line]) -> Vec<(&'static str, usize)> {
    let count = |word: &str| {
        lines
            .iter()
            .filter(|line| line.verdict.word() == word)
            .count()
    };
    Verdict::WORDS.map(|word| (word, count(word))).to_vec()
}

fn page(lines: &[Line]) -> String {
    let mut text = String::from(TITLE);
    text.push_str("| verdict | recordings |\n|---|--:|\n");
    for (word, count) in counts(lines) {
        let _ = writeln!(text, "| {word} | {count} |");
    }
    text.push_str(
        "\nAll that did not simply pass:\n\n| recording | verdict | reason |\n|---|---|---|\n",
    );
    for line in lines {
        let reason = line.verdict.reason().replace('|', "\\|").replace('\n', " ");
        if !reason.is_empty() {
            let word = line.verdict.word();
            let _ = writeln!(text, "| {} | {word} | {reason} |", line.name);
        }
    }
    text
}
