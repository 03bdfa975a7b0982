//! A report as a section of a page.

use super::finding::{Report, Status};

/// Checks whose findings depend on this machine and its network.
const OF_THIS_MACHINE: [&str; 6] = [
    "address",
    "proxy",
    "connection",
    "clock",
    "tokenizer",
    "speed",
];

impl Report {
    /// The numbers of findings of each kind, on one line.
    pub fn summary(&self) -> String {
        let kinds = [
            Status::Passed,
            Status::Noted,
            Status::Limited,
            Status::Failed,
            Status::Skipped,
        ];
        let counts = kinds.into_iter().map(|kind| (kind, self.count(kind)));
        let counts: Vec<String> = counts
            .filter(|(_, count)| *count > 0)
            .map(|(kind, count)| format!("{count} {}", kind.name()))
            .collect();
        counts.join(", ")
    }

    /// A section in Markdown: a heading and a table. What depends on this machine and its network is left out, so that the
    /// section changes only with the server.
    pub fn to_markdown(&self, title: &str) -> String {
        let mut text = format!("## {title}\n\n{}.\n\n", self.summary());
        text += "| check | result | found | what it means | what to do |\n|---|---|---|---|---|\n";
        let findings = self.findings.iter();
        for finding in findings.filter(|finding| !OF_THIS_MACHINE.contains(&finding.check)) {
            let cells = [
                finding.check,
                finding.status.name(),
                &finding.found,
                &finding.meaning,
                finding.advice.as_deref().unwrap_or_default(),
            ];
            text.extend(["| ", &cells.map(cell).join(" | "), " |\n"]);
        }
        text
    }
}

/// Text without characters that end a cell.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}
