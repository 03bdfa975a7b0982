//! Lists that know how many levels they have.

use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};

use super::print;

/// A list.
#[derive(Debug)]
pub(super) struct List {
    items: Vec<Value>,
    depth: usize,
}

impl List {
    /// A list with this number of levels.
    pub(super) fn of(items: Vec<Value>, depth: usize) -> Value {
        Value::from_object(Self { items, depth })
    }

    /// Levels of lists and dicts in it, with itself.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }
}

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.items.get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.items.len())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.items.len())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print::repr(&Value::from_dyn_object(self.clone()), f)
    }
}
