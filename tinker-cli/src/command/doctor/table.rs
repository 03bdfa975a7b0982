//! The findings as text and as Markdown.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use tinker_client::doctor::{Report, Status};

use crate::style::TerminalStyle;

/// Width of the table.
const WIDTH: u16 = 80;

/// The table, then what to do.
pub(super) fn text(report: &Report, style: TerminalStyle) -> String {
    let mut table = columns(["", "check", "found", "what it means"], [4, 15, 32, 29]);
    for finding in &report.findings {
        table.add_row([
            mark(finding.status, style),
            finding.check,
            &finding.found,
            &finding.meaning,
        ]);
    }
    let mut text = format!("{}\n", table.trim_fmt());
    let mut advice = columns(["", "check", "what to do"], [4, 15, 61]);
    for finding in &report.findings {
        if let Some(what) = &finding.advice {
            advice.add_row([mark(finding.status, style), finding.check, what]);
        }
    }
    if advice.row_count() > 0 {
        text += &format!("\n{}\n", advice.trim_fmt());
    }
    text += &format!("\n{}\n", summary(report));
    text
}

/// A table with columns of at most these widths.
fn columns<const N: usize>(names: [&str; N], widths: [u16; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(names);
    for (index, width) in widths.into_iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(width)));
            column.set_padding((0, 1));
        }
    }
    table
}

fn mark(status: Status, style: TerminalStyle) -> &'static str {
    match status {
        Status::Passed => style.right(),
        Status::Noted => "-",
        Status::Skipped => "",
        Status::Limited => "!",
        _ => style.wrong(),
    }
}

fn summary(report: &Report) -> String {
    let counts = [
        Status::Passed,
        Status::Noted,
        Status::Limited,
        Status::Failed,
        Status::Skipped,
    ];
    let counts = counts
        .into_iter()
        .map(|status| (status, report.count(status)));
    let counts: Vec<String> = counts
        .filter(|(_, count)| *count > 0)
        .map(|(status, count)| format!("{count} {}", status.name()))
        .collect();
    counts.join(", ")
}

/// A section of a page: a heading and a table. Times are left out, so that the page changes only with the server.
pub(super) fn markdown(report: &Report, title: &str) -> String {
    let mut text = format!("## {title}\n\n");
    text += &format!("{}.\n\n", summary(report));
    text += "| check | result | found | what it means | what to do |\n|---|---|---|---|---|\n";
    for finding in report
        .findings
        .iter()
        .filter(|finding| finding.check != "speed")
    {
        let cells = [
            finding.check,
            finding.status.name(),
            &finding.found,
            &finding.meaning,
            finding.advice.as_deref().unwrap_or_default(),
        ];
        let cells = cells.map(cell).join(" | ");
        text += &format!("| {cells} |\n");
    }
    text
}

/// Text without characters that end a cell.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}
