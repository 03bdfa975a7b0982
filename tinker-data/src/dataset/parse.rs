//! JSON text of one record.

use super::error::{ErrorKind, LineError};
use super::format::forms;
use crate::json::Json;

/// A parsed record, or an error with the byte offset of its place.
pub(super) fn parse(text: &str) -> Result<Json, (usize, LineError)> {
    serde_json::from_str(text).map_err(|error| {
        let at = offset(text, &error);
        malformed(text, at, &error)
    })
}

/// Byte offset of an error in a text that may have several lines.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    let before = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1));
    let start: usize = before.map(str::len).sum();
    (start + error.column().saturating_sub(1)).min(text.len())
}

fn malformed(text: &str, at: usize, error: &serde_json::Error) -> (usize, LineError) {
    if let Some(at) = text.find('\0') {
        let fix = "the file is damaged or not UTF-8; write it again";
        return (
            at,
            LineError::new(ErrorKind::Encoding, "has a NUL character", fix),
        );
    }
    let cause = error.to_string();
    let cause = cause.split(" at line ").next().unwrap_or_default();
    if error.is_data() {
        // The error is at the end of the repeated key.
        let at = text
            .get(..at)
            .and_then(|before| before.rfind('"'))
            .unwrap_or(at);
        let fix = "keep one of them";
        return (at, LineError::new(ErrorKind::RepeatedKey, cause, fix));
    }
    if let Some((at, escape)) = lone_surrogate(text) {
        return (
            at,
            LineError::new(
                ErrorKind::Syntax,
                format!("has half of a surrogate pair, {escape}"),
                "write both halves, or remove the escape",
            ),
        );
    }
    if cause.starts_with("recursion limit") {
        let fix = "write the inner value as text";
        let reason = "has lists or objects nested deeper than 127 levels";
        return (at, LineError::new(ErrorKind::Syntax, reason, fix));
    }
    let start = text.trim_start();
    let fix = if error.is_eof() && start.starts_with(['{', '[']) {
        "write the whole object on one line, without line breaks".to_owned()
    } else if start.starts_with('{') {
        "check the quotes and commas; within a text, write a quote as \\\" and a line break as \\n"
            .to_owned()
    } else {
        forms()
    };
    let reason = format!("is not valid JSON: {cause}");
    (at, LineError::new(ErrorKind::Syntax, reason, fix))
}

/// The first `\u` escape of half a surrogate pair, with its offset.
fn lone_surrogate(text: &str) -> Option<(usize, &str)> {
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find('\\') {
        at += found;
        let Some(code) = unit(text, at) else {
            // An escape of two characters; the second may be a backslash.
            at += 2;
            continue;
        };
        let pair = unit(text, at + 6).is_some_and(|low| (0xdc00..0xe000).contains(&low));
        match code {
            0xd800..0xdc00 if pair => at += 12,
            0xd800..0xe000 => return Some((at, &text[at..at + 6])),
            _ => at += 6,
        }
    }
    None
}

/// The code of an escape `\uXXXX` at an offset.
fn unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_pairs_are_found() {
        assert_eq!(lone_surrogate(r#""\ud83d\ude00 \\ud83d""#), None);
        assert_eq!(lone_surrogate(r#""ab\\ \ud83d""#), Some((6, r"\ud83d")));
        assert_eq!(lone_surrogate(r#""\ude00""#), Some((1, r"\ude00")));
        assert_eq!(lone_surrogate(r#""\ud83d\u0041""#), Some((1, r"\ud83d")));
        assert_eq!(lone_surrogate("\\"), None);
        assert_eq!(lone_surrogate("\\é\\u12"), None);
    }
}
