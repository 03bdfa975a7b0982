//! Counts and examples of the training data, printed before anything is trained.

use tinker_data::{EncodedCounts, Index, Renderer};

use crate::context::Context;
use crate::format;
use crate::shown_row::ShownRow;

/// Rows that are shown.
const ROWS: usize = 3;

/// Prints tokens and lengths, and the first rows as the model sees them.
pub(super) fn preview(
    rows: &Index,
    counts: &EncodedCounts,
    renderer: &Renderer,
    context: &Context,
) {
    let printer = context.printer;
    let number = |count: usize| format::number(count as u64);
    let text = format!(
        "{} read, {} learned, in {} of {} to {} tokens",
        number(counts.tokens),
        number(counts.learned),
        format::count(counts.sequences, "sequence"),
        number(counts.shortest),
        number(counts.longest),
    );
    printer.print_labelled("tokens", &text);
    for row in rows.rows().take(ROWS) {
        // A row that was left out for its length can still be shown.
        let shown = row.ok().and_then(|row| ShownRow::new(renderer, &row).ok());
        if let Some(row) = shown {
            let text = row.shortened().to_text(printer.style, false, None);
            printer.print_line(text.trim_end());
        }
    }
}
