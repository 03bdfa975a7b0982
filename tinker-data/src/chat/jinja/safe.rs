//! Texts that are marked as safe HTML.

use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Object, ObjectRepr};

/// A text after the filter `safe` or `escape`.
///
/// In Python, `+` with such a text escapes the other one. The engine has no such operator, so `+` with this value is an
/// error rather than another text.
#[derive(Debug)]
pub(super) struct Safe(pub(super) String);

impl Object for Safe {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
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

/// The text of a text, safe or not; `None` for all else.
pub(super) fn as_text(value: &Value) -> Option<&str> {
    let safe = || value.downcast_object_ref::<Safe>();
    value
        .as_str()
        .or_else(|| safe().map(|safe| safe.0.as_str()))
}
