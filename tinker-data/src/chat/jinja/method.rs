//! Methods of Python's types. A sandbox: methods that change their value are refused.

use minijinja::value::{ObjectRepr, Tuple, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use super::arguments::Arguments;
use super::refusal::{collect, refuse};
use super::safe::{self, Safe, as_text};
use super::text;
use super::view::View;

/// Methods that change a list or a dict.
const CHANGING: [&str; 12] = [
    "append",
    "clear",
    "extend",
    "fromkeys",
    "insert",
    "pop",
    "popitem",
    "remove",
    "reverse",
    "setdefault",
    "sort",
    "update",
];

/// Calls a method of a value.
pub(super) fn call(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    if let Some(text) = as_text(value) {
        let result = text::call(state, text, method, args)?;
        return match value.downcast_object_ref::<Safe>() {
            Some(_) => safe::of_method(method, result),
            None => Ok(result),
        };
    }
    match value.kind() {
        ValueKind::Map => of_dict(value, method, args),
        ValueKind::Seq | ValueKind::Iterable => of_list(value, method, args),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn of_dict(value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let Some(object) = value.as_object().filter(|it| it.repr() == ObjectRepr::Map) else {
        return Err(Error::from(ErrorKind::UnknownMethod));
    };
    let pairs = || object.try_iter_pairs().into_iter().flatten();
    let (name, items) = match method {
        "get" => {
            let args = Arguments::new(method, args, ["", ""])?;
            let found = object.get_value(args.required(0)?);
            let default = args.get(1).cloned().unwrap_or(Value::from(()));
            return Ok(found.unwrap_or(default));
        }
        "copy" => return Ok(value.clone()),
        "keys" => ("dict_keys", pairs().map(|(key, _)| key).collect()),
        "values" => ("dict_values", pairs().map(|(_, value)| value).collect()),
        "items" => (
            "dict_items",
            pairs()
                .map(|(key, value)| Value::from(Tuple::from([key, value])))
                .collect(),
        ),
        _ if CHANGING.contains(&method) && object.get_value_by_str(method).is_none() => {
            return Err(changing(method, "dict"));
        }
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    };
    Arguments::new(method, args, []).map(|_: Arguments<'_, 0>| ())?;
    Ok(Value::from_object(View { name, items }))
}

fn of_list(value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match method {
        "count" | "index" => {
            let args = Arguments::new(method, args, [""])?;
            let what = args.required(0)?;
            let items = collect(value)?;
            if method == "count" {
                return Ok(Value::from(
                    items.iter().filter(|item| *item == what).count(),
                ));
            }
            let at = items.iter().position(|item| item == what);
            at.map(Value::from)
                .ok_or_else(|| refuse("the value is not in the list"))
        }
        "copy" => Ok(value.clone()),
        _ if CHANGING.contains(&method) => Err(changing(method, "list")),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn changing(method: &str, kind: &str) -> Error {
    refuse(format!(
        "{method} would change a {kind}, which templates may not"
    ))
}
