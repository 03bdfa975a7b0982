//! Dicts with the attributes of Python.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr};
use minijinja::{Error, State, Value};

use super::{method, print};

/// The methods of a Python dict. In `a.b`, a method comes before an item of that name.
const METHODS: [&str; 11] = [
    "clear",
    "copy",
    "fromkeys",
    "get",
    "items",
    "keys",
    "pop",
    "popitem",
    "setdefault",
    "update",
    "values",
];

/// A dict. It holds the engine's map, which has no methods.
#[derive(Debug)]
pub(super) struct Dict {
    items: Value,
    /// Levels of lists and dicts in it, with itself.
    depth: usize,
}

impl Dict {
    /// A dict of an engine's map with this number of levels.
    pub(super) fn of(items: Value, depth: usize) -> Value {
        Value::from_object(Self { items, depth })
    }

    /// Levels of lists and dicts in it, with itself.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    fn object(&self) -> Option<&DynObject> {
        self.items.as_object()
    }
}

impl Object for Dict {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.object()?.get_value(key)
    }

    /// The attribute `a.b`: a method, then an item.
    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if METHODS.contains(&key) {
            return Some(Value::from_object(Method {
                of: Value::from_dyn_object(self.clone()),
                name: key.to_owned(),
            }));
        }
        self.object()?.get_value_by_str(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match self.object() {
            Some(object) => object.enumerate(),
            None => Enumerator::Empty,
        }
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        self.object()?.enumerator_len()
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print::repr(&self.items, f)
    }
}

/// A method of a value, named without a call, as in `{% if tool.items %}`.
#[derive(Debug)]
struct Method {
    of: Value,
    name: String,
}

impl Object for Method {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        method::call(state, &self.of, &self.name, args)
    }
}
