//! JSON as the values that Python's `json` module reads.

use minijinja::Value;

use super::dict::Dict;
use super::list::List;
use super::number;
use crate::json::Json;

/// The value of a JSON value, and its levels of lists and dicts.
pub(super) fn read(json: &Json) -> (Value, usize) {
    let value = match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => {
            if let Some(integer) = number.as_u64() {
                Value::from(integer)
            } else if let Some(integer) = number.as_i64() {
                Value::from(integer)
            } else {
                number::value(number.as_f64().unwrap_or(f64::NAN))
            }
        }
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => return list(items.iter().map(read)),
        Json::Object(members) => {
            return dict(
                members
                    .iter()
                    .map(|(key, value)| (key.as_str(), read(value))),
            );
        }
    };
    (value, 0)
}

/// A list of values with their levels.
pub(super) fn list(items: impl IntoIterator<Item = (Value, usize)>) -> (Value, usize) {
    let (items, levels): (Vec<_>, Vec<_>) = items.into_iter().unzip();
    let depth = 1 + levels.into_iter().max().unwrap_or(0);
    (List::of(items, depth), depth)
}

/// A dict of values with their levels.
pub(super) fn dict<'a>(
    items: impl IntoIterator<Item = (&'a str, (Value, usize))>,
) -> (Value, usize) {
    let mut depth = 0;
    let items = items.into_iter().map(|(key, (value, levels))| {
        depth = depth.max(levels);
        (key, value)
    });
    let items = Value::from_pairs(items);
    depth += 1;
    (Dict::of(items, depth), depth)
}
