//! Filters that differ between the engine and Jinja for Python.

use minijinja::value::{ObjectRepr, Rest, Tuple, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value};

use super::arguments::Arguments;
use super::generator::Generator;
use super::refusal::{collect, refuse};
use super::safe::{Safe, as_text};
use super::{dumps, generating, letter, number, print, text};

/// Filters of the engine that Jinja does not have.
const FOREIGN: [&str; 6] = ["bool", "chain", "lines", "split", "zip", "safe"];

/// Puts the filters of Jinja in place of those of the engine.
pub(super) fn register(environment: &mut Environment<'_>) {
    for name in FOREIGN {
        environment.remove_filter(name);
    }
    environment.add_filter("tojson", dumps::filter);
    environment.add_filter("safe", |value: &Value| {
        print::text(value).map(|text| Value::from_object(Safe(text)))
    });
    environment.add_filter("string", |value: &Value| map(value, str::to_owned));
    environment.add_filter("upper", |value: &Value| map(value, str::to_uppercase));
    environment.add_filter("lower", |value: &Value| map(value, str::to_lowercase));
    environment.add_filter("capitalize", |value: &Value| map(value, letter::capitalize));
    environment.add_filter("title", |value: &Value| {
        map(value, |text| minijinja::filters::title(text.into()))
    });
    environment.add_filter("trim", trim);
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("indent", indent);
    environment.add_filter("format", format);
    environment.add_filter("center", |value: &Value, width: Option<i64>| {
        text::pad(&print::text(value)?, "center", width.unwrap_or(80), " ")
    });
    environment.add_filter("replace", replace);
    environment.add_filter("join", join);
    environment.add_filter("list", list);
    environment.add_filter("first", first);
    environment.add_filter("last", last);
    environment.add_filter("length", length);
    environment.add_filter("count", length);
    environment.add_filter("items", items);
    environment.add_filter("int", int);
    environment.add_filter("float", float);
    environment.add_filter("escape", escape);
    environment.add_filter("e", escape);
    generating::register(environment);
    environment.add_filter("wordcount", |value: &Value| {
        let text = print::text(value)?;
        let words = text.split(letter::is_space).filter(|word| !word.is_empty());
        Ok::<_, Error>(words.count())
    });
}

/// The value, if Python can iterate over it.
pub(super) fn iterable(value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::None | ValueKind::Bool | ValueKind::Number | ValueKind::Plain => {
            Err(refuse(format!("{} is not iterable", value.kind())))
        }
        _ => Ok(value.clone()),
    }
}

/// Values of a list, the keys of a dict or the characters of a text.
fn iterate(value: &Value) -> Result<Vec<Value>, Error> {
    collect(&iterable(value)?)
}

fn trim(value: &Value, characters: Option<&str>) -> Result<Value, Error> {
    map(value, |text| {
        text::strip(text, "strip", characters).to_owned()
    })
}

fn default(value: &Value, rest: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let rest = values(rest);
    let args = Arguments::new("default", &rest, ["default_value", "boolean"])?;
    let is_missing =
        value.is_undefined() || args.get(1).is_some_and(Value::is_true) && !value.is_true();
    Ok(match args.get(0) {
        _ if !is_missing => value.clone(),
        Some(default) => default.clone(),
        None => Value::from(""),
    })
}

/// Puts white space before each line but the first and empty ones.
fn indent(state: &State<'_, '_>, value: &Value, rest: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let rest = values(rest);
    let args = Arguments::new("indent", &rest, ["width", "first", "blank"])?;
    let is_set = |at| args.get(at).is_some_and(Value::is_true);
    let indent = match args.get(0).and_then(as_text) {
        Some(text) => text.to_owned(),
        None => text::pad("", "ljust", args.integer(0)?.unwrap_or(4), " ")?,
    };
    let text = print::text(value)?;
    let count = text.split('\n').count();
    state.consume_fuel((count.saturating_mul(indent.len()) / 64) as u64)?;
    let lines = text.split('\n').enumerate().map(|(index, line)| {
        let is_indented = if index == 0 {
            is_set(1)
        } else {
            is_set(2) || !line.is_empty()
        };
        [if is_indented { indent.as_str() } else { "" }, line].concat()
    });
    let lines: Vec<String> = lines.collect();
    map(value, |_| lines.join("\n"))
}

/// Arguments by position, with those by name behind them.
fn values(rest: Rest<ValueOrKwargs>) -> Vec<Value> {
    rest.0.into_iter().map(Into::into).collect()
}

fn replace(
    state: &State<'_, '_>,
    value: &Value,
    rest: Rest<ValueOrKwargs>,
) -> Result<String, Error> {
    let rest = values(rest);
    let args = Arguments::new("replace", &rest, ["old", "new", "count"])?;
    let (old, new) = (
        print::text(args.required(0)?)?,
        print::text(args.required(1)?)?,
    );
    text::replace(state, &print::text(value)?, &old, &new, args.integer(2)?)
}

fn join(state: &State<'_, '_>, value: &Value, rest: Rest<ValueOrKwargs>) -> Result<String, Error> {
    let rest = values(rest);
    let args = Arguments::new("join", &rest, ["d", "attribute"])?;
    let separator = args
        .get(0)
        .map(print::text)
        .transpose()?
        .unwrap_or_default();
    let mut joined = String::new();
    for (index, item) in iterate(value)?.iter().enumerate() {
        if index > 0 {
            joined.push_str(&separator);
        }
        let item = match args.some(1) {
            None => item.clone(),
            Some(attribute) => attribute_of(item, attribute)?,
        };
        let item = print::text(&item)?;
        state.consume_fuel((separator.len() + item.len()) as u64 / 64 + 1)?;
        joined.push_str(&item);
    }
    Ok(joined)
}

/// An attribute by its name, with dots for attributes of attributes.
fn attribute_of(value: &Value, attribute: &Value) -> Result<Value, Error> {
    let Some(path) = attribute.as_str() else {
        return value.get_item(attribute);
    };
    path.split('.')
        .try_fold(value.clone(), |value, part| match part.parse::<usize>() {
            Ok(index) => value.get_item_by_index(index),
            Err(_) => value.get_item(&Value::from(part)),
        })
}

fn list(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    let items = iterate(value)?;
    state.consume_fuel(items.len() as u64)?;
    Ok(Value::from(items))
}

fn first(value: &Value) -> Result<Value, Error> {
    Ok(iterate(value)?.into_iter().next().unwrap_or_default())
}

fn last(value: &Value) -> Result<Value, Error> {
    Ok(iterate(value)?.pop().unwrap_or_default())
}

fn length(value: &Value) -> Result<usize, Error> {
    match value.kind() {
        ValueKind::Undefined => Ok(0),
        _ => value
            .len()
            .ok_or_else(|| refuse(format!("{} has no length", value.kind()))),
    }
}

fn items(value: &Value) -> Result<Value, Error> {
    let pairs = match value.as_object() {
        _ if value.is_undefined() => None,
        Some(object) if object.repr() == ObjectRepr::Map => object.try_iter_pairs(),
        _ => return Err(refuse("items takes a dict")),
    };
    let pairs = pairs.into_iter().flatten();
    let items = pairs.map(|(key, value)| Value::from(Tuple::from([key, value])));
    Ok(Generator::of(items.collect()))
}

fn int(value: &Value, rest: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let rest = values(rest);
    let args = Arguments::new("int", &rest, ["default", "base"])?;
    let default = || args.get(0).cloned().unwrap_or(Value::from(0));
    if let Some(number) = number::of(value) {
        return Ok(match number.is_finite() {
            true if number.abs() < 1e18 => Value::from(number as i64),
            true => return Err(refuse("the number is too large")),
            false => default(),
        });
    }
    if value.kind() == ValueKind::Bool {
        return Ok(Value::from(i64::from(value.is_true())));
    }
    let Some(text) = value.as_str() else {
        return Ok(if value.is_number() {
            value.clone()
        } else {
            default()
        });
    };
    let text = text
        .trim_matches(letter::is_space)
        .replace('_', "")
        .to_lowercase();
    let base = u32::try_from(args.integer(1)?.unwrap_or(10)).unwrap_or(0);
    if !(2..=36).contains(&base) {
        return Err(refuse("the base of int is a number from 2 to 36"));
    }
    let prefix = match base {
        2 => "0b",
        8 => "0o",
        16 => "0x",
        _ => "",
    };
    if let Ok(number) = i64::from_str_radix(text.strip_prefix(prefix).unwrap_or(&text), base) {
        return Ok(Value::from(number));
    }
    Ok(match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number.abs() < 1e18 => Value::from(number as i64),
        Ok(number) if number.is_finite() => return Err(refuse("the number is too large")),
        _ => default(),
    })
}

fn float(value: &Value, rest: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let rest = values(rest);
    let args = Arguments::new("float", &rest, ["default"])?;
    let number = match (number::of(value), value.as_str()) {
        (Some(_), _) => return Ok(value.clone()),
        (None, Some(text)) => text.trim_matches(letter::is_space).parse::<f64>().ok(),
        (None, None) if value.kind() == ValueKind::Bool => {
            Some(f64::from(u8::from(value.is_true())))
        }
        (None, None) => f64::try_from(value.clone()).ok(),
    };
    let default = || args.get(0).cloned().unwrap_or(Value::from(0.0));
    Ok(number.map_or_else(default, number::value))
}

/// HTML with the entities that Python's `markupsafe` writes.
pub(super) fn escape(value: &Value) -> Result<Value, Error> {
    if value.downcast_object_ref::<Safe>().is_some() {
        return Ok(value.clone());
    }
    let text = print::text(value)?;
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\'' => escaped.push_str("&#39;"),
            '"' => escaped.push_str("&#34;"),
            c => escaped.push(c),
        }
    }
    Ok(Value::from_object(Safe(escaped)))
}

/// The text of a value as another function of it, safe if it was safe.
fn map(value: &Value, function: impl FnOnce(&str) -> String) -> Result<Value, Error> {
    let text = function(&print::text(value)?);
    Ok(if value.downcast_object_ref::<Safe>().is_some() {
        Value::from_object(Safe(text))
    } else {
        Value::from(text)
    })
}

/// Text with values in place of `%s` and the like, within bounds.
fn format(
    state: &mut State<'_, '_>,
    format: &Value,
    args: Rest<ValueOrKwargs>,
) -> Result<Value, Error> {
    text::check_widths(format.as_str().unwrap_or_default())?;
    minijinja::filters::format(state, format, args)
}
