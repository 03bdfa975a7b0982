//! Numbers with a fraction, as Python has them.

use std::fmt::{self, Write};
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Object, ObjectRepr};

/// A number that Python prints with an exponent. It cannot be calculated with, because the engine would print the
/// result without.
#[derive(Debug)]
struct Float(f64);

impl Object for Float {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.0, f)
    }
}

/// The value of a number.
pub(super) fn value(number: f64) -> Value {
    if has_exponent(number) {
        Value::from_object(Float(number))
    } else {
        Value::from(number)
    }
}

/// The number of a value with a fraction; `None` for whole numbers and all else.
pub(super) fn of(value: &Value) -> Option<f64> {
    if let Some(Float(number)) = value.downcast_object_ref() {
        return Some(*number);
    }
    let is_float = value.is_number() && !value.is_integer();
    is_float
        .then(|| f64::try_from(value.clone()).ok())
        .flatten()
}

/// A number with a fraction, as `repr` writes it: the shortest digits that read back as the same number, with an
/// exponent below 0.0001 and from 10^16 on.
pub(super) fn write(value: f64, out: &mut impl Write) -> fmt::Result {
    if value.is_nan() {
        return out.write_str("nan");
    }
    if value.is_infinite() {
        return out.write_str(if value < 0.0 { "-inf" } else { "inf" });
    }
    if !has_exponent(value) {
        return write!(out, "{value:?}");
    }
    let digits = format!("{value:e}");
    let (digits, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    write!(out, "{digits}e{sign}{exponent:0>2}")
}

/// Whether Python prints this number with an exponent.
fn has_exponent(value: f64) -> bool {
    value.is_finite() && value != 0.0 && !(1e-4..1e16).contains(&value.abs())
}
