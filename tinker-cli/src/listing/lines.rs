//! Output of a list, row by row.

use jiff::Timestamp;

use super::column::{Chosen, Row};
use super::table::Table;
use crate::report;
use crate::style::TerminalStyle;

/// Format of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Table(TerminalStyle),
    /// One JSON object a line.
    Json,
    Csv,
}

/// Prints rows in batches.
#[derive(Debug)]
pub(super) struct Lines<'a, T: Row> {
    columns: &'a [Chosen<T>],
    format: Format,
    now: Timestamp,
    table: Option<Table>,
    has_header: bool,
}

impl<'a, T: Row> Lines<'a, T> {
    pub(super) fn new(columns: &'a [Chosen<T>], format: Format, now: Timestamp) -> Self {
        Self {
            columns,
            format,
            now,
            table: None,
            has_header: false,
        }
    }

    /// Prints a batch.
    pub(super) fn print(&mut self, rows: &[T]) -> anyhow::Result<()> {
        report::write(&self.render(rows)?)
    }

    /// A batch as it is printed. The first one decides the widths of a table.
    pub(super) fn render(&mut self, rows: &[T]) -> anyhow::Result<Vec<u8>> {
        let bytes = match self.format {
            Format::Table(style) => self.table(rows, style).into_bytes(),
            Format::Json => {
                let mut bytes = Vec::new();
                for row in rows {
                    serde_json::to_writer(&mut bytes, row)?;
                    bytes.push(b'\n');
                }
                bytes
            }
            Format::Csv => self.csv(rows)?,
        };
        self.has_header = true;
        Ok(bytes)
    }

    fn table(&mut self, rows: &[T], style: TerminalStyle) -> String {
        let text = |row: &T| -> Vec<String> {
            let cells = self.columns.iter().map(|column| column.cell(row));
            cells.map(|cell| cell.to_text(self.now)).collect()
        };
        let cells: Vec<Vec<String>> = rows.iter().map(text).collect();
        let mut text = String::new();
        let table = self.table.get_or_insert_with(|| {
            let headers = self.columns.iter().map(Chosen::name).collect();
            Table::plan(headers, &cells, style, style.table_width())
        });
        if !self.has_header {
            text += &table.header();
        }
        for row in &cells {
            text += &table.row(row);
        }
        text
    }

    fn csv(&self, rows: &[T]) -> anyhow::Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        if !self.has_header {
            writer.write_record(self.columns.iter().map(Chosen::name))?;
        }
        for row in rows {
            let cells = self.columns.iter().map(|column| column.cell(row).to_raw());
            writer.write_record(cells)?;
        }
        Ok(writer
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)?)
    }
}
