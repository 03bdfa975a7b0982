//! Tests (`x is string`) that differ between the engine and Jinja for Python.

use minijinja::value::{ObjectRepr, ValueKind};
use minijinja::{Environment, Value};

use super::number;
use super::safe::as_text;

/// Tests of the engine that Jinja does not have.
const FOREIGN: [&str; 4] = ["startingwith", "endingwith", "safe", "int"];

/// Puts the tests of Jinja in place of those of the engine.
pub(super) fn register(environment: &mut Environment<'_>) {
    for name in FOREIGN {
        environment.remove_test(name);
    }
    environment.add_test("sequence", is_sequence);
    environment.add_test("iterable", |value: &Value| {
        value.kind() == ValueKind::Iterable || is_sequence(value)
    });
    environment.add_test("mapping", |value: &Value| value.kind() == ValueKind::Map);
    environment.add_test("string", |value: &Value| as_text(value).is_some());
    environment.add_test("number", |value: &Value| {
        value.is_number() || value.kind() == ValueKind::Bool || number::of(value).is_some()
    });
    environment.add_test("float", |value: &Value| number::of(value).is_some());
    environment.add_test("integer", |value: &Value| {
        value.is_number() && number::of(value).is_none()
    });
    environment.add_test("boolean", |value: &Value| value.kind() == ValueKind::Bool);
    environment.add_test("callable", |value: &Value| {
        value
            .as_object()
            .is_some_and(|object| object.repr() == ObjectRepr::Plain)
    });
}

/// True for values with a length and items: also texts and dicts, and undefined values.
fn is_sequence(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::Seq | ValueKind::Map | ValueKind::String | ValueKind::Undefined
    ) || value.kind() == ValueKind::Iterable && value.len().is_some()
}
