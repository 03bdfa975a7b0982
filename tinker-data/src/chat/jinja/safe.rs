//! Texts that are marked as safe HTML.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, ValueKind};
use minijinja::{Error, Value};

use super::refusal::{collect, refuse};

/// Methods that escape their arguments.
const ESCAPING: [&str; 5] = ["format", "join", "partition", "replace", "rpartition"];

/// A text after the filter `safe` or `escape`.
///
/// In Python, `+` with such a text escapes the other one. The operator of the engine refuses this value; templates that
/// can have it add with a filter.
#[derive(Debug)]
pub(super) struct Safe(pub(super) String);

impl Object for Safe {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let index = i64::try_from(key.clone()).ok()?;
        let length = i64::try_from(self.0.chars().count()).ok()?;
        let index = if index < 0 { index + length } else { index };
        let letter = self.0.chars().nth(usize::try_from(index).ok()?)?;
        Some(Value::from_object(Self(letter.into())))
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !self.0.is_empty()
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.0.chars().count())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The result of a method of a safe text: its texts are safe too.
pub(super) fn of_method(method: &str, result: Value) -> Result<Value, Error> {
    if ESCAPING.contains(&method) {
        return Err(refuse(format!(
            "{method} is not supported for a text after `safe` or `escape`"
        )));
    }
    let safe = |text: &str| Value::from_object(Safe(text.to_owned()));
    match (result.as_str(), result.kind()) {
        (Some(text), _) => Ok(safe(text)),
        (None, ValueKind::Seq) => {
            let items = collect(&result)?.into_iter();
            let texts = items.map(|item| item.as_str().map_or(item.clone(), safe));
            Ok(texts.collect())
        }
        _ => Ok(result),
    }
}

/// The text of a text, safe or not; `None` for all else.
pub(super) fn as_text(value: &Value) -> Option<&str> {
    let safe = || value.downcast_object_ref::<Safe>();
    value
        .as_str()
        .or_else(|| safe().map(|safe| safe.0.as_str()))
}
