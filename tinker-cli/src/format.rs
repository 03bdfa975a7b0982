//! Formatting of numbers, durations, names and labelled lines.

use std::time::Duration;

use anstyle::Style;
use jiff::Timestamp;

use crate::style::paint;

/// Column of the text after a label.
const INDENT: usize = 14;

/// `2400` as `2,400`.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 step`, `2,400 steps`.
pub(crate) fn count(value: usize, noun: &str) -> String {
    let plural = if value == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", number(value as u64))
}

/// `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// `512 B`, `1.0 MiB`.
pub(crate) fn bytes(value: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut size, mut unit) = (value as f64, 0);
    // 1023.95 and above would be printed as 1024.0.
    while size >= 1023.95 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0);
    format!("{size:.decimals$} {}", UNITS[unit])
}

/// Distance of a moment from now: `just now`, `5 min ago`, `in 3 days`; more than 30 days away, its date.
pub(crate) fn age(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - time.as_second();
    let (away, is_past) = (seconds.unsigned_abs(), seconds >= 0);
    let plural = |value: u64, noun: &str| count(value as usize, noun);
    let text = match away {
        0..60 => return "just now".to_owned(),
        60..3600 => format!("{} min", away / 60),
        3600..86_400 => plural(away / 3600, "hour"),
        86_400..2_592_000 => plural(away / 86_400, "day"),
        _ => return time.strftime("%Y-%m-%d").to_string(),
    };
    if is_past {
        format!("{text} ago")
    } else {
        format!("in {text}")
    }
}

/// A loss with about three significant digits.
pub(crate) fn loss(value: f64) -> String {
    match value.abs() {
        0.0..0.1 => format!("{value:.4}"),
        0.1..100.0 => format!("{value:.3}"),
        _ => format!("{value:.1}"),
    }
}

/// Text as one line of at most `width` characters: line breaks become `⏎` (`\n` in ASCII), and truncated text ends in
/// `…` (`...`).
pub(crate) fn one_line(text: &str, width: usize, unicode: bool) -> String {
    let (newline, ellipsis) = if unicode {
        ("⏎", "…")
    } else {
        ("\\n", "...")
    };
    let mut line = String::new();
    for character in text.trim().chars() {
        match character {
            '\n' => line.push_str(newline),
            '\t' => line.push(' '),
            c if c.is_control() => line.push(if unicode { '�' } else { '?' }),
            c => line.push(c),
        }
    }
    if line.chars().count() > width {
        let kept = width.saturating_sub(ellipsis.chars().count());
        line = line.chars().take(kept).chain(ellipsis.chars()).collect();
    }
    line
}

/// A word of a shell command, quoted if a shell would interpret it.
pub(crate) fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A label and its text, aligned with other labelled lines.
pub(crate) fn labelled(style: Style, label: &str, text: &str) -> String {
    let gap = INDENT.saturating_sub(label.len() + 2).max(1);
    format!("  {}{:gap$}{text}", paint(style, label), "")
}

/// A path with the home folder written as `~`.
#[cfg(feature = "local")]
pub(crate) fn path(path: &std::path::Path) -> String {
    let in_home = std::env::home_dir()
        .filter(|home| !home.as_os_str().is_empty())
        .and_then(|home| path.strip_prefix(home).ok().map(std::path::Path::to_owned));
    match in_home {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators() {
        let shown: Vec<String> = [0, 999, 1000, 1_234_567].map(number).into();
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(count(1, "step"), "1 step");
        assert_eq!(count(0, "step"), "0 steps");
    }

    #[test]
    fn durations_get_coarser() {
        let shown = [0.44, 12.9, 185.0, 7800.0].map(|s| duration(Duration::from_secs_f64(s)));
        assert_eq!(shown, ["0.4 s", "12 s", "3 min 5 s", "2 h 10 min"]);
    }

    #[test]
    fn sizes_and_ages_have_a_fitting_unit() {
        let shown = [0, 1023, 1024, 1 << 20, (1 << 30) - 1].map(bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "1.0 GiB"]);
        let now = Timestamp::from_second(1_795_428_930).unwrap();
        let past = |seconds| {
            age(
                Timestamp::from_second(now.as_second() - seconds).unwrap(),
                now,
            )
        };
        let shown = [0, 300, 3600, 200_000, 40 * 86_400, -7300].map(past);
        let expected = [
            "just now",
            "5 min ago",
            "1 hour ago",
            "2 days ago",
            "2026-10-14",
            "in 2 hours",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn long_text_is_cut_and_line_breaks_shown() {
        assert_eq!(one_line(" ab\ncd ", 10, true), "ab⏎cd");
        assert_eq!(one_line("abcdefgh", 6, true), "abcde…");
        assert_eq!(one_line("abcdefgh", 6, false), "abc...");
        assert_eq!(one_line("a\u{1b}[0m", 10, true), "a�[0m");
    }

    #[test]
    fn shells_read_words_back() {
        assert_eq!(shell_word("tinker://a/weights/b"), "tinker://a/weights/b");
        assert_eq!(shell_word("it's here"), r"'it'\''s here'");
        assert_eq!(shell_word(""), "''");
    }
}
