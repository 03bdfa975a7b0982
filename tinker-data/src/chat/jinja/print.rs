//! Values as Python prints them: `str` and `repr`.

use std::fmt::{self, Write};

use minijinja::value::{ObjectRepr, Tuple, ValueKind};
use minijinja::{Error, Value};

use super::generator::Generator;
use super::safe::{Safe, as_text};
use super::view::View;
use super::{number, refusal};

/// Parts of a value that is printed.
const MOST: usize = 1_000_000;

/// Levels of a value that is printed.
const DEEPEST: usize = 200;

/// Whether `str` of a value is a text with a meaning. Python writes functions and generators as an address in memory.
pub(super) fn has_text(value: &Value) -> bool {
    let is_function = value
        .as_object()
        .is_some_and(|object| object.repr() == ObjectRepr::Plain);
    let is_known = as_text(value).is_some() || number::of(value).is_some();
    !(is_function && !is_known || value.downcast_object_ref::<Generator>().is_some())
}

/// Text of a value: what `str` returns. A value with more than a million parts is an error.
pub(super) fn text(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    write(value, &mut out)?;
    Ok(out)
}

/// Writes what `str` returns. Undefined values are empty.
pub(super) fn write(value: &Value, out: &mut impl Write) -> Result<(), Error> {
    let printed = match (value.is_undefined(), as_text(value)) {
        (true, _) => Ok(()),
        (_, Some(text)) => out.write_str(text),
        _ => repr(value, out),
    };
    printed.map_err(|_| refusal::refuse("a value is too large to be printed"))
}

/// Writes what `repr` returns.
pub(super) fn repr(value: &Value, out: &mut impl Write) -> fmt::Result {
    Printer { out, left: MOST }.value(value, 0)
}

/// Writes values, which may be their own parts many times over.
struct Printer<'a, W> {
    out: &'a mut W,
    /// Parts that may still be written.
    left: usize,
}

impl<W: Write> Printer<'_, W> {
    fn value(&mut self, value: &Value, depth: usize) -> fmt::Result {
        self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
        if depth > DEEPEST {
            return Err(fmt::Error);
        }
        if let Some(number) = number::of(value) {
            return number::write(number, self.out);
        }
        if let Some(Safe(text)) = value.downcast_object_ref() {
            self.out.write_str("Markup(")?;
            quoted(text, self.out)?;
            return self.out.write_str(")");
        }
        if let Some(text) = value.as_str() {
            return quoted(text, self.out);
        }
        match value.kind() {
            ValueKind::Undefined => return self.out.write_str("Undefined"),
            ValueKind::None => return self.out.write_str("None"),
            ValueKind::Bool => {
                let text = if value.is_true() { "True" } else { "False" };
                return self.out.write_str(text);
            }
            _ => {}
        }
        if let Some(tuple) = value.downcast_object_ref::<Tuple>() {
            let marks = if tuple.len() == 1 {
                ("(", ",)")
            } else {
                ("(", ")")
            };
            return self.joined(marks, tuple.iter().cloned(), depth);
        }
        if let Some(view) = value.downcast_object_ref::<View>() {
            self.out.write_str(view.name)?;
            return self.joined(("([", "])"), view.items.iter().cloned(), depth);
        }
        let Some(object) = value.as_object() else {
            return write!(self.out, "{value}");
        };
        match object.repr() {
            ObjectRepr::Map => self.dict(object.try_iter_pairs().into_iter().flatten(), depth),
            ObjectRepr::Seq | ObjectRepr::Iterable => {
                self.joined(("[", "]"), object.try_iter().into_iter().flatten(), depth)
            }
            _ => write!(self.out, "{value}"),
        }
    }

    fn dict(&mut self, items: impl Iterator<Item = (Value, Value)>, depth: usize) -> fmt::Result {
        self.out.write_str("{")?;
        for (index, (key, item)) in items.enumerate() {
            if index > 0 {
                self.out.write_str(", ")?;
            }
            self.value(&key, depth + 1)?;
            self.out.write_str(": ")?;
            self.value(&item, depth + 1)?;
        }
        self.out.write_str("}")
    }

    fn joined(
        &mut self,
        (open, close): (&str, &str),
        items: impl Iterator<Item = Value>,
        depth: usize,
    ) -> fmt::Result {
        self.out.write_str(open)?;
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.write_str(", ")?;
            }
            self.value(&item, depth + 1)?;
        }
        self.out.write_str(close)
    }
}

/// A text in quotes, with escapes where Python has them.
fn quoted(text: &str, out: &mut impl Write) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.write_char(quote)?;
    for c in text.chars() {
        match c {
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            '\\' => out.write_str("\\\\")?,
            c if c == quote => write!(out, "\\{c}")?,
            c if is_printable(c) => out.write_char(c)?,
            c => match u32::from(c) {
                code @ 0..=0xff => write!(out, "\\x{code:02x}")?,
                code @ 0x100..=0xffff => write!(out, "\\u{code:04x}")?,
                code => write!(out, "\\U{code:08x}")?,
            },
        }
    }
    out.write_char(quote)
}

/// Equivalent of `str.isprintable`. The escapes of the standard library follow the same rule, except for the first
/// character.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let mut buffer = [b'a', 0, 0, 0, 0];
    let length = c.encode_utf8(&mut buffer[1..]).len();
    let text = str::from_utf8(&buffer[..=length]).unwrap_or_default();
    text.escape_debug().nth(1) != Some('\\')
}
