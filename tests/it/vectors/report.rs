//! Table of all recordings.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::verdict::Verdict;

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
}

/// Writes the table to the target folder, and prints the number of recordings of each verdict.
#[expect(
    clippy::print_stdout,
    reason = "the counts are what one runs this test for"
)]
pub(crate) fn write(lines: &[Line]) -> io::Result<()> {
    let path = place();
    fs::write(&path, table(lines))?;
    let counts = counts(lines);
    let counts = counts.iter().map(|(word, count)| format!("{count} {word}"));
    let counts: Vec<String> = counts.collect();
    println!("vectors: {}; {}", counts.join(", "), path.display());
    Ok(())
}

/// The message of a failed row.
pub(crate) fn failure(line: &Line) -> Option<String> {
    let Verdict::Failed(reasons) = &line.verdict else {
        return None;
    };
    Some(format!("{}\n    {}", line.name, reasons.join("\n    ")))
}

fn place() -> PathBuf {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    scratch.parent().unwrap_or(scratch).join("vectors.md")
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

fn table(lines: &[Line]) -> String {
    let mut text = String::from("# Recordings of the official client against ours\n\n");
    text.push_str("| | |\n|---|---|\n");
    for (word, count) in counts(lines) {
        let _ = writeln!(text, "| {word} | {count} |");
    }
    text.push_str("\n| vector | verdict | |\n|---|---|---|\n");
    for line in lines {
        let reason = line.verdict.reason().replace('|', "\\|").replace('\n', " ");
        let _ = writeln!(
            text,
            "| {} | {} | {reason} |",
            line.name,
            line.verdict.word()
        );
    }
    text
}
