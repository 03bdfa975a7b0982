//! What the terminal can show, and the few styles used in it.

use std::io::IsTerminal as _;

use anstyle::{AnsiColor, Style};

/// Widest text worth reading; wider terminals get margins.
const WIDEST: usize = 120;
/// Width where there is no terminal.
const DEFAULT: usize = 100;

/// Names of things.
pub(crate) const LABEL: Style = AnsiColor::Cyan.on_default().bold();
/// What stands out.
pub(crate) const STRONG: Style = Style::new().bold();
/// What stays in the background.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// The line of a plot.
pub(crate) const CURVE: Style = AnsiColor::Cyan.on_default();
/// What is right.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What is wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What asks for attention.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Text in a style. Streams that show no colour take the codes out again.
pub(crate) fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// What can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Characters outside ASCII.
    pub(crate) unicode: bool,
    /// Columns to fill.
    pub(crate) width: usize,
}

impl Look {
    /// The look of this terminal; `ascii` asks for plain characters whatever it can show.
    pub(crate) fn of_terminal(ascii: bool) -> Self {
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

    /// Mark of a right answer.
    pub(crate) fn right(self) -> &'static str {
        if self.unicode { "✓" } else { "ok" }
    }

    /// Mark of a wrong answer.
    pub(crate) fn wrong(self) -> &'static str {
        if self.unicode { "✗" } else { "no" }
    }

    /// Mark of what was cut off.
    pub(crate) fn ellipsis(self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }

    /// From one thing to another.
    pub(crate) fn arrow(self) -> &'static str {
        if self.unicode { "→" } else { "->" }
    }
}

/// The first locale variable that is set decides, in POSIX order. Windows terminals and bare environments count as
/// UTF-8; a locale that names another encoding, or the C locale, does not.
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
            let look = Look { unicode, width: 80 };
            assert_ne!(look.right(), look.wrong());
        }
    }
}
