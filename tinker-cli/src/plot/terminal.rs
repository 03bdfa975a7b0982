//! Terminal plots: Braille characters, or stars in ASCII.

use super::axis::Axis;
use super::curve::Curve;
use crate::style::{CURVE, FAINT, STRONG, TerminalStyle, paint};

/// Rows of the curve in a report.
pub(crate) const HEIGHT: usize = 12;
/// Largest number of columns of the curve.
const WIDEST: usize = 60;

/// Dots of a Braille character by row and column, to be added to U+2800.
const BRAILLE: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// Draws the curve as text, in this many rows and three more. Empty for fewer than two points.
pub(crate) fn terminal(curve: &Curve, style: TerminalStyle, rows: usize) -> String {
    let (dots_wide, dots_high) = if style.unicode { (2, 4) } else { (1, 1) };
    let columns = style.width.saturating_sub(12).clamp(16, WIDEST);
    let (width, height) = (columns * dots_wide, rows * dots_high);
    let points = curve.binned(width);
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return String::new();
    };
    if points.len() < 2 {
        return String::new();
    }
    let x_axis = Axis::counting(first.0, last.0, 4);
    let (low, high) = points
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |range, point| {
            (range.0.min(point.1), range.1.max(point.1))
        });
    // The axis starts at 0 unless all values are far above it.
    let y_axis = Axis::rounded(
        if low > 0.0 && low < high * 0.5 {
            0.0
        } else {
            low
        },
        high,
        (rows / 2).min(4),
    );
    let position = |share: f64, size: usize| (share * (size - 1) as f64).round() as usize;
    let row = |y: f64| height - 1 - position(y_axis.share(y), height);

    let mut dots = Dots::new(width, height);
    for pair in points.windows(2) {
        let from = (position(x_axis.share(pair[0].0), width), row(pair[0].1));
        dots.line(
            from,
            (position(x_axis.share(pair[1].0), width), row(pair[1].1)),
        );
    }

    let labels: Vec<(usize, String)> = y_axis
        .ticks
        .iter()
        .map(|&tick| (row(tick) / dots_high, y_axis.label(tick)))
        .collect();
    let gutter = labels
        .iter()
        .map(|(_, label)| label.len())
        .max()
        .unwrap_or(0)
        + 2;
    let [bar, mark, corner, rule, below] = if style.unicode {
        ["│", "┤", "└", "─", "┬"]
    } else {
        ["|", "+", "+", "-", "+"]
    };

    let mut text = format!("  {}\n", paint(STRONG, &curve.title));
    for line in 0..rows {
        let label = labels
            .iter()
            .find(|(at, _)| *at == line)
            .map(|(_, label)| label.as_str());
        let edge = if label.is_some() { mark } else { bar };
        let label = label.unwrap_or_default();
        let cells = dots.text(line, columns, style.unicode);
        text += &paint(FAINT, format!("{label:>gutter$} {edge}"));
        text += &paint(CURVE, cells.trim_end());
        text.push('\n');
    }

    let mut ruler = vec![rule; columns];
    let mut names = " ".repeat(columns + 8);
    for &tick in &x_axis.ticks {
        let at = position(x_axis.share(tick), columns);
        ruler[at] = below;
        let label = x_axis.label(tick);
        let start = at.saturating_sub(label.len() / 2);
        names.replace_range(start..start + label.len(), &label);
    }
    names.truncate(names.trim_end().len());
    let pad = " ".repeat(gutter + 1);
    text += &format!(
        "{}\n",
        paint(FAINT, format!("{pad}{corner}{}", ruler.concat()))
    );
    text += &format!(
        "{}\n",
        paint(FAINT, format!("{pad} {names}  {}", curve.x_label))
    );
    text
}

/// A bitmap with `(0, 0)` at the top left.
struct Dots {
    width: usize,
    set: Vec<bool>,
}

impl Dots {
    fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            set: vec![false; width * height],
        }
    }

    /// Draws a line between two dots, both included; `from` is not to the right of `to`.
    fn line(&mut self, from: (usize, usize), to: (usize, usize)) {
        let steps = (to.0 - from.0).max(to.1.abs_diff(from.1)).max(1);
        for step in 0..=steps {
            let share = step as f64 / steps as f64;
            let between =
                |a: usize, b: usize| (a as f64 + (b as f64 - a as f64) * share).round() as usize;
            self.set[between(from.1, to.1) * self.width + between(from.0, to.0)] = true;
        }
    }

    /// Returns one row of characters.
    fn text(&self, line: usize, columns: usize, braille: bool) -> String {
        let dot = |x: usize, y: usize| self.set[y * self.width + x];
        let cell = |column: usize| {
            if !braille {
                return if dot(column, line) { '*' } else { ' ' };
            }
            let mut bits = 0;
            for (y, row) in BRAILLE.iter().enumerate() {
                for (x, bit) in row.iter().enumerate() {
                    bits |= if dot(column * 2 + x, line * 4 + y) {
                        *bit
                    } else {
                        0
                    };
                }
            }
            char::from_u32(0x2800 + bits)
                .filter(|_| bits > 0)
                .unwrap_or(' ')
        };
        (0..columns).map(cell).collect()
    }
}
