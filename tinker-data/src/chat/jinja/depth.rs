//! The levels of nested values.
//!
//! The engine frees a value level by level on the stack. A template that nests a list in itself without end would use it
//! up, so what a variable holds has a limited number of levels.

use minijinja::value::{ObjectRepr, Tuple, ValueKind};
use minijinja::{Error, State, Value};

use super::dict::Dict;
use super::generator::Generator;
use super::list::List;
use super::refusal::{collect, refuse};
use super::view::View;

/// Levels of a value.
const DEEPEST: usize = 200;

/// The value of a variable: a list or dict as one that knows its levels. Every assignment goes through this filter.
///
/// A namespace is no part of another value and no attribute, because it could be a part of itself, which is never freed.
pub(super) fn kept(
    state: &State<'_, '_>,
    value: &Value,
    is_attribute: Option<bool>,
) -> Result<Value, Error> {
    let Some(object) = value.as_object() else {
        return Ok(value.clone());
    };
    if is_attribute == Some(true) && is_namespace(value) {
        return Err(within_value());
    }
    let depth = levels(state, value, 0)?;
    let is_known = value.downcast_object_ref::<List>().is_some()
        || value.downcast_object_ref::<Dict>().is_some()
        || value.downcast_object_ref::<Tuple>().is_some()
        || value.downcast_object_ref::<View>().is_some();
    Ok(match object.repr() {
        _ if is_known => value.clone(),
        ObjectRepr::Seq | ObjectRepr::Iterable if value.len().is_some() => {
            List::of(collect(value)?, depth)
        }
        ObjectRepr::Map if is_plain(value) => Dict::of(value.clone(), depth),
        _ => value.clone(),
    })
}

/// Whether this is the engine's map, and no namespace, loop or macro.
fn is_plain(value: &Value) -> bool {
    let plain = Value::from_pairs([("", "")]);
    let name = |value: &Value| {
        value
            .as_object()
            .map(minijinja::value::DynObject::type_name)
    };
    name(value) == name(&plain)
}

/// Levels of a value with itself; none for what has no parts. Reading the parts takes steps.
fn levels(state: &State<'_, '_>, value: &Value, above: usize) -> Result<usize, Error> {
    let depth = if let Some(list) = value.downcast_object_ref::<List>() {
        list.depth()
    } else if let Some(dict) = value.downcast_object_ref::<Dict>() {
        dict.depth()
    } else {
        let parts = parts(value)?;
        state.consume_fuel(parts.len() as u64 / 8)?;
        if above > DEEPEST {
            return Err(too_deep());
        }
        let mut deepest = 0;
        for part in &parts {
            if is_namespace(part) {
                return Err(within_value());
            }
            deepest = deepest.max(levels(state, part, above + 1)?);
        }
        deepest + usize::from(value.as_object().is_some())
    };
    if above + depth > DEEPEST {
        return Err(too_deep());
    }
    Ok(depth)
}

fn parts(value: &Value) -> Result<Vec<Value>, Error> {
    if let Some(generator) = value.downcast_object_ref::<Generator>() {
        return Ok(generator.values());
    }
    let Some(object) = value.as_object() else {
        return Ok(Vec::new());
    };
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => collect(value),
        ValueKind::Map => {
            let pairs = object.try_iter_pairs().into_iter().flatten();
            Ok(pairs.map(|(_, value)| value).collect())
        }
        _ => Ok(Vec::new()),
    }
}

fn is_namespace(value: &Value) -> bool {
    let name = value
        .as_object()
        .map(minijinja::value::DynObject::type_name);
    name.is_some_and(|name| name.ends_with("Namespace"))
}

fn within_value() -> Error {
    refuse("a namespace cannot be a part of another value")
}

fn too_deep() -> Error {
    refuse(format!("a value has more than {DEEPEST} levels"))
}
