//! Layout of a table whose rows arrive one after the other.

use crate::format::one_line;
use crate::style::{FAINT, TerminalStyle, paint};

/// Space between columns.
const GAP: usize = 2;
/// Indent of the second line of a row.
const INDENT: usize = 4;

/// Widths of the columns, decided by the first rows.
#[derive(Debug)]
pub(super) struct Table {
    style: TerminalStyle,
    headers: Vec<String>,
    widths: Vec<usize>,
    /// Whether a row has two lines: its first cell, then the others. The first cell is never shortened, so that it can be
    /// copied.
    in_two_lines: bool,
}

impl Table {
    /// Plans a table for the first rows. `numeric` columns are aligned to the right.
    pub(super) fn plan(
        headers: Vec<String>,
        rows: &[Vec<String>],
        style: TerminalStyle,
        width: usize,
    ) -> Self {
        let mut widths: Vec<usize> = headers.iter().map(|header| length(header)).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = length(cell).max(*width);
            }
        }
        let in_two_lines = widths.len() > 1 && total(&widths) > width;
        if in_two_lines {
            let least: Vec<usize> = headers.iter().map(|header| length(header)).collect();
            shrink(&mut widths[1..], &least[1..], width.saturating_sub(INDENT));
        }
        Self {
            style,
            headers,
            widths,
            in_two_lines,
        }
    }

    /// The line above the rows.
    pub(super) fn header(&self) -> String {
        let headers: Vec<String> = self
            .headers
            .iter()
            .map(|name| name.to_uppercase())
            .collect();
        let lines = self.row(&headers);
        let lines = lines.lines().map(|line| paint(FAINT, line) + "\n");
        lines.collect()
    }

    /// One row.
    pub(super) fn row(&self, cells: &[String]) -> String {
        if !self.in_two_lines {
            return self.line(cells, &self.widths);
        }
        let rest = self.line(&cells[1..], &self.widths[1..]);
        format!(
            "{}\n{:INDENT$}{rest}",
            self.clean(&cells[0], usize::MAX),
            ""
        )
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for (at, (cell, &width)) in cells.iter().zip(widths).enumerate() {
            let is_first =
                std::ptr::eq(&raw const cells[0], cell) && widths.len() == self.widths.len();
            let most = if is_first { usize::MAX } else { width };
            let cell = self.clean(cell, most);
            if at > 0 {
                line += &" ".repeat(GAP);
            }
            line += &cell;
            line += &" ".repeat(width.saturating_sub(length(&cell)));
        }
        line.truncate(line.trim_end().len());
        line + "\n"
    }

    /// A text of a server on one line of at most `width` characters.
    fn clean(&self, text: &str, width: usize) -> String {
        one_line(text, width, self.style.unicode)
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// Makes the widest columns narrower until all fit, but none narrower than its header.
fn shrink(widths: &mut [usize], least: &[usize], most: usize) {
    while total(widths) > most {
        let wide = widths.iter_mut().zip(least);
        let wide = wide.filter(|(width, least)| **width > **least);
        let Some((width, _)) = wide.max_by_key(|(width, _)| **width) else {
            return;
        };
        *width -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(rows: &[[&str; 3]], width: usize) -> String {
        let style = TerminalStyle {
            unicode: true,
            width,
        };
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.map(str::to_owned).into())
            .collect();
        let headers = ["id", "model", "size"].map(str::to_owned).into();
        let table = Table::plan(headers, &rows, style, width);
        let body: String = rows.iter().map(|row| table.row(row)).collect();
        let header = anstream::adapter::strip_str(&table.header()).to_string();
        header + &body
    }

    #[test]
    fn rows_that_fit_have_one_line() {
        let text = shown(&[["a", "m", "1 MiB"], ["bcd", "model", "-"]], 40);
        assert_eq!(text, "ID   MODEL  SIZE\na    m      1 MiB\nbcd  model  -\n");
    }

    #[test]
    fn the_name_of_a_long_row_stays_whole() {
        let text = shown(&[["tinker://a/b", "a long name", "1 MiB"]], 22);
        assert_eq!(
            text,
            "ID\n    MODEL        SIZE\ntinker://a/b\n    a long name  1 MiB\n"
        );
        let text = shown(&[["tinker://a/b", "a long name", "1 MiB"]], 20);
        assert!(text.ends_with("    a long n…  1 MiB\n"), "{text}");
    }

    #[test]
    fn control_characters_are_not_printed() {
        let text = shown(&[["a\u{1b}[2J", "m\nx", "1"]], 40);
        assert!(
            !text.contains('\u{1b}') && text.lines().count() == 2,
            "{text}"
        );
    }
}
