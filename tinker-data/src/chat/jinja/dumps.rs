//! JSON as Python's `json.dumps` writes it: the filter `tojson`.

use std::fmt::{self, Write};

use minijinja::value::{DynObject, ObjectRepr, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Error, State, Value};

use super::arguments::Arguments;
use super::generator::Generator;
use super::refusal::{collect, refuse};
use super::safe::as_text;
use super::view::View;
use super::{number, print};

/// How the JSON is written.
struct Style {
    ensure_ascii: bool,
    /// White space of one level; `None` writes one line.
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
    sort_keys: bool,
}

/// `value | tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False)`.
pub(super) fn filter(
    state: &State<'_, '_>,
    value: &Value,
    rest: Rest<ValueOrKwargs>,
) -> Result<String, Error> {
    let args: Vec<Value> = rest.0.into_iter().map(Into::into).collect();
    let style = Style::from_args(&args)?;
    let mut out = String::new();
    let mut charged = 0;
    style.value(state, value, 0, &mut out, &mut charged)?;
    Ok(out)
}

impl Style {
    fn from_args(args: &[Value]) -> Result<Self, Error> {
        let names = ["ensure_ascii", "indent", "separators", "sort_keys"];
        let args = Arguments::new("tojson", args, names)?;
        let is_set = |at| args.get(at).is_some_and(Value::is_true);
        let indent = match args
            .some(1)
            .map(|indent| (indent.as_str(), indent.as_i64()))
        {
            None => None,
            Some((Some(text), _)) => Some(text.to_owned()),
            Some((None, Some(count @ ..=64))) => {
                Some(" ".repeat(usize::try_from(count).unwrap_or(0)))
            }
            Some(_) => {
                return Err(refuse(
                    "the indent of tojson is a text or a number up to 64",
                ));
            }
        };
        let (item_separator, key_separator) = match args.some(2) {
            None if indent.is_some() => (",".to_owned(), ": ".to_owned()),
            None => (", ".to_owned(), ": ".to_owned()),
            Some(pair) => match collect(pair)?.iter().map(Value::as_str).collect::<Vec<_>>()[..] {
                [Some(item), Some(key)] => (item.to_owned(), key.to_owned()),
                _ => return Err(refuse("the separators of tojson are a pair of texts")),
            },
        };
        Ok(Self {
            ensure_ascii: is_set(0),
            indent,
            item_separator,
            key_separator,
            sort_keys: is_set(3),
        })
    }

    fn value(
        &self,
        state: &State<'_, '_>,
        value: &Value,
        depth: usize,
        out: &mut String,
        charged: &mut usize,
    ) -> Result<(), Error> {
        // Indentation makes the output much longer than the value, so it is paid for while it grows.
        if out.len() >= *charged + 4096 {
            state.consume_fuel((out.len() - *charged) as u64 / 8)?;
            *charged = out.len();
        }
        if depth > 200 {
            return Err(refuse(
                "a value with more than 200 levels is not JSON serializable",
            ));
        }
        if let Some(number) = number::of(value) {
            return written(number_text(number, out));
        }
        if let Some(text) = as_text(value) {
            return written(self.string(text, out));
        }
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => written(write!(out, "{value}"))?,
            ValueKind::Seq | ValueKind::Iterable
                if value.downcast_object_ref::<View>().is_none()
                    && value.downcast_object_ref::<Generator>().is_none() =>
            {
                let items = collect(value)?;
                self.container(('[', ']'), items.len(), depth, out, |index, out| {
                    self.value(state, &items[index], depth + 1, out, charged)
                })?;
            }
            ValueKind::Map => {
                let items = self.items(value)?;
                self.container(('{', '}'), items.len(), depth, out, |index, out| {
                    let (key, item) = &items[index];
                    written(self.string(key, out))?;
                    out.push_str(&self.key_separator);
                    self.value(state, item, depth + 1, out, charged)
                })?;
            }
            kind => return Err(refuse(format!("{kind} is not JSON serializable"))),
        }
        Ok(())
    }

    /// Items of a dict in their order, with keys as JSON has them.
    fn items(&self, value: &Value) -> Result<Vec<(String, Value)>, Error> {
        let pairs = value
            .as_object()
            .filter(|object| object.repr() == ObjectRepr::Map)
            .and_then(DynObject::try_iter_pairs);
        let mut items = Vec::new();
        for (key, item) in pairs.into_iter().flatten() {
            let key = match (key.as_str(), key.kind()) {
                (Some(text), _) => text.to_owned(),
                (None, ValueKind::None) => "null".to_owned(),
                (None, ValueKind::Bool) => key.is_true().to_string(),
                (None, ValueKind::Number) => print::text(&key)?,
                (None, kind) => return Err(refuse(format!("{kind} is not a JSON key"))),
            };
            items.push((key, item));
        }
        if self.sort_keys {
            items.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        Ok(items)
    }

    fn container(
        &self,
        (open, close): (char, char),
        count: usize,
        depth: usize,
        out: &mut String,
        mut item: impl FnMut(usize, &mut String) -> Result<(), Error>,
    ) -> Result<(), Error> {
        out.push(open);
        for index in 0..count {
            if index > 0 {
                out.push_str(&self.item_separator);
            }
            self.line_break(depth + 1, out);
            item(index, out)?;
        }
        if count > 0 {
            self.line_break(depth, out);
        }
        out.push(close);
        Ok(())
    }

    fn line_break(&self, depth: usize, out: &mut String) {
        if let Some(indent) = &self.indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(indent.as_str(), depth));
        }
    }

    fn string(&self, text: &str, out: &mut String) -> fmt::Result {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                c if c < ' ' => write!(out, "\\u{:04x}", u32::from(c))?,
                c if self.ensure_ascii && (!c.is_ascii() || c == '\u{7f}') => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(out, "\\u{unit:04x}")?;
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
        Ok(())
    }
}

fn number_text(number: f64, out: &mut String) -> fmt::Result {
    if number.is_nan() {
        out.write_str("NaN")
    } else if number.is_infinite() {
        out.write_str(if number < 0.0 {
            "-Infinity"
        } else {
            "Infinity"
        })
    } else {
        number::write(number, out)
    }
}

fn written(result: fmt::Result) -> Result<(), Error> {
    result.map_err(Error::from)
}
