//! Filters that return generators.

use std::borrow::Cow;

use minijinja::value::{Kwargs, Rest, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value, filters};

use super::generator::Generator;
use super::refusal::collect;

/// Registers the filters.
pub(super) fn register(environment: &mut Environment<'_>) {
    type Name<'a> = Option<Cow<'a, str>>;
    type More = Rest<ValueOrKwargs>;
    environment.add_filter(
        "map",
        |state: &mut State<'_, '_>, value: Value, more: More| {
            filters::map(state, value, more).map(Generator::of)
        },
    );
    environment.add_filter(
        "select",
        |state: &mut State<'_, '_>, value: Value, test: Name<'_>, more: More| {
            filters::select(state, value, test, more).map(Generator::of)
        },
    );
    environment.add_filter(
        "reject",
        |state: &mut State<'_, '_>, value: Value, test: Name<'_>, more: More| {
            filters::reject(state, value, test, more).map(Generator::of)
        },
    );
    environment.add_filter(
        "selectattr",
        |state: &mut State<'_, '_>,
         value: Value,
         name: Cow<'_, str>,
         test: Name<'_>,
         more: More| {
            filters::selectattr(state, value, name, test, more).map(Generator::of)
        },
    );
    environment.add_filter(
        "rejectattr",
        |state: &mut State<'_, '_>,
         value: Value,
         name: Cow<'_, str>,
         test: Name<'_>,
         more: More| {
            filters::rejectattr(state, value, name, test, more).map(Generator::of)
        },
    );
    environment.add_filter(
        "unique",
        |state: &State<'_, '_>, value: Value, named: Kwargs| {
            filters::unique(state, value, named).and_then(|values| read(&values))
        },
    );
    environment.add_filter(
        "batch",
        |state: &State<'_, '_>, value: Value, count: usize, fill: Option<Value>| {
            filters::batch(state, value, count, fill).and_then(|values| read(&values))
        },
    );
    environment.add_filter(
        "slice",
        |state: &State<'_, '_>, value: Value, count: usize, fill: Option<Value>| {
            filters::slice(state, value, count, fill).and_then(|values| read(&values))
        },
    );
    environment.add_filter("reverse", |value: &Value| {
        let reversed = filters::reverse(value)?;
        if reversed.as_str().is_some() {
            return Ok(reversed);
        }
        read(&reversed)
    });
}

fn read(values: &Value) -> Result<Value, Error> {
    collect(values).map(Generator::of)
}
