//! Comparison of JSON values.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Rules of equality.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Identical values; `1` and `1.0` differ.
    Exact,
    /// Identical except for the digits and the offset of times.
    Written,
    /// Numbers and times by value; a null and a missing key are the same.
    Values,
    /// As above, with added defaults allowed: a decoded answer.
    Reencoded,
}

/// The first difference between `actual` and `expected`, with its place.
pub(crate) fn difference(expected: &Value, actual: &Value, rule: Rule) -> Option<String> {
    at("", expected, actual, rule)
}

fn at(place: &str, expected: &Value, actual: &Value, rule: Rule) -> Option<String> {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            for (key, value) in expected {
                let place = format!("{place}.{key}");
                match actual.get(key) {
                    Some(other) => {
                        if let Some(difference) = at(&place, value, other, rule) {
                            return Some(difference);
                        }
                    }
                    None if rule.is_lenient() && value.is_null() => {}
                    None => return Some(format!("{place}: expected {}, missing", short(value))),
                }
            }
            let added = actual.iter().find(|(key, value)| {
                let may_be_added = match rule {
                    Rule::Exact | Rule::Written => false,
                    Rule::Values => value.is_null(),
                    Rule::Reencoded => true,
                };
                !expected.contains_key(*key) && !may_be_added
            });
            added.map(|(key, value)| format!("{place}.{key}: not expected, is {}", short(value)))
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            let mut pairs = expected.iter().zip(actual).enumerate();
            pairs.find_map(|(i, (expected, actual))| {
                at(&format!("{place}[{i}]"), expected, actual, rule)
            })
        }
        _ if is_same(expected, actual, rule) => None,
        _ => {
            let place = if place.is_empty() { "value" } else { place };
            let (expected, actual) = (short(expected), short(actual));
            Some(format!("{place}: expected {expected}, is {actual}"))
        }
    }
}

fn is_same(expected: &Value, actual: &Value, rule: Rule) -> bool {
    if expected == actual {
        return true;
    }
    match (expected, actual) {
        (Value::Number(expected), Value::Number(actual)) if rule.is_lenient() => {
            let pair = expected.as_f64().zip(actual.as_f64());
            // A number read from JSON may differ in its last bit.
            pair.is_some_and(|(a, b)| (a - b).abs() <= 2.0 * f64::EPSILON * a.abs())
        }
        (Value::String(expected), Value::String(actual)) if rule != Rule::Exact => {
            let pair = time(expected).zip(time(actual));
            pair.is_some_and(|(expected, actual)| expected == actual)
        }
        _ => false,
    }
}

/// A point in time; without an offset it is UTC.
fn time(text: &str) -> Option<Timestamp> {
    let without_offset = || {
        let local: DateTime = text.parse().ok()?;
        TimeZone::UTC.to_timestamp(local).ok()
    };
    text.parse().ok().or_else(without_offset)
}

impl Rule {
    fn is_lenient(self) -> bool {
        matches!(self, Self::Values | Self::Reencoded)
    }
}

/// A value, shortened for a message.
pub(crate) fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(160) {
        Some((cut, _)) => format!("{} ...", &text[..cut]),
        None => text,
    }
}
