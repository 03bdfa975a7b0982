//! Counts and examples of the training data, printed before anything is trained.

use tinker_data::{Dataset, EncodedDataset, Renderer};

use crate::context::Context;
use crate::format;
use crate::shown_row::ShownRow;

/// Rows that are shown.
const ROWS: usize = 3;

/// Prints tokens and lengths, and the first rows as the model sees them.
pub(super) fn preview(
    dataset: &Dataset,
    encoded: &EncodedDataset,
    renderer: &Renderer,
    context: &Context,
) {
    let printer = context.printer;
    let number = |count: usize| format::number(count as u64);
    let learned: usize = encoded.examples.iter().map(|example| example.learned).sum();
    let lengths = encoded.examples.iter().map(|example| example.tokens);
    let text = format!(
        "{} read, {} learned, in {} of {} to {} tokens",
        number(encoded.tokens()),
        number(learned),
        format::count(encoded.examples.len(), "sequence"),
        number(lengths.min().unwrap_or_default()),
        number(encoded.longest()),
    );
    printer.print_labelled("tokens", &text);
    for row in dataset.rows.iter().take(ROWS) {
        // A row that was left out for its length can still be shown.
        if let Ok(row) = ShownRow::new(renderer, row) {
            let text = row.shortened().to_text(printer.style, false);
            printer.print_line(text.trim_end());
        }
    }
}
