//! Terminal style: colours, marks, width and character set.

use std::io::IsTerminal as _;

use anstyle::{AnsiColor, Style};

/// Largest width used; text that is wider is hard to read.
const WIDEST: usize = 120;
/// Width without a terminal.
const DEFAULT: usize = 100;

/// Labels.
pub(crate) const LABEL: Style = AnsiColor::Cyan.on_default().bold();
/// Emphasis.
pub(crate) const STRONG: Style = Style::new().bold();
/// Secondary text.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// The line of a plot.
pub(crate) const CURVE: Style = AnsiColor::Cyan.on_default();
/// Success.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Failure.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Warnings.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Applies a style to a text. Output streams without colour remove the codes again.
pub(crate) fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Capabilities of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TerminalStyle {
    /// Whether characters outside ASCII are shown.
    pub(crate) unicode: bool,
    /// Width in columns.
    pub(crate) width: usize,
}

impl TerminalStyle {
    /// Detects the style of this terminal; `ascii` restricts it to ASCII characters.
    pub(crate) fn detect(ascii: bool) -> Self {
        let width = terminal_size::terminal_size()
            .filter(|_| std::io::stdout().is_terminal())
            .map_or(DEFAULT, |(terminal_size::Width(width), _)| {
                usize::from(width)
            });
        Self {
            unicode: !ascii && locale_is_utf8(),
            width: width.clamp(40, WIDEST),
        }
    }

    /// Width of tables: that of the terminal, or 80 columns without one.
    pub(crate) fn table_width(self) -> usize {
        if std::io::stdout().is_terminal() {
            self.width
        } else {
            80
        }
    }

    /// Mark of a correct answer.
    pub(crate) fn right(self) -> &'static str {
        if self.unicode { "✓" } else { "ok" }
    }

    /// Mark of a wrong answer.
    pub(crate) fn wrong(self) -> &'static str {
        if self.unicode { "✗" } else { "no" }
    }

    /// Mark of truncated text.
    pub(crate) fn ellipsis(self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }

    /// Arrow from one value to the next.
    pub(crate) fn arrow(self) -> &'static str {
        if self.unicode { "→" } else { "->" }
    }
}

/// Whether stderr is a terminal that can redraw lines, and the user has nothing against it.
pub(crate) fn has_live_progress() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stderr().is_terminal() && !is_set("NO_COLOR") && !is_dumb
}

/// Columns and rows of the terminal of stderr.
pub(crate) fn size_of_stderr() -> (usize, usize) {
    let size = terminal_size::terminal_size_of(std::io::stderr());
    let (width, height) = size.unwrap_or((terminal_size::Width(80), terminal_size::Height(24)));
    (usize::from(width.0), usize::from(height.0))
}

/// Whether the locale is UTF-8. The first variable that is set decides, in POSIX order. Without any, as on Windows, the
/// answer is yes; the C locale and locales with another encoding are not UTF-8.
fn locale_is_utf8() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    match ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set) {
        Some(locale) => names_utf8(&locale),
        None => true,
    }
}

fn names_utf8(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_name_their_encoding() {
        for (locale, utf8) in [
            ("C.UTF-8", true),
            ("en_US.utf8", true),
            ("C", false),
            ("POSIX", false),
            ("de_DE.ISO-8859-1", false),
        ] {
            assert_eq!(names_utf8(locale), utf8, "{locale}");
        }
    }

    #[test]
    fn marks_differ_without_colour() {
        for unicode in [true, false] {
            let style = TerminalStyle { unicode, width: 80 };
            assert_ne!(style.right(), style.wrong());
        }
    }
}
