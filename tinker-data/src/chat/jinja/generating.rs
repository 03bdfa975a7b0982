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
    macro_rules! lazy {
        ($filter:ident($($argument:ident: $kind:ty),+)) => {
            environment.add_filter(
                stringify!($filter),
                |state: &mut State<'_, '_>, value: Value, $($argument: $kind),+| {
                    filters::$filter(state, value, $($argument),+).map(Generator::of)
                },
            );
        };
    }
    lazy!(map(more: More));
    lazy!(select(test: Name<'_>, more: More));
    lazy!(reject(test: Name<'_>, more: More));
    lazy!(selectattr(name: Cow<'_, str>, test: Name<'_>, more: More));
    lazy!(rejectattr(name: Cow<'_, str>, test: Name<'_>, more: More));
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
