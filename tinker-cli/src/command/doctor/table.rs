//! The findings as text.

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
    text += &format!("\n{}\n", report.summary());
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
