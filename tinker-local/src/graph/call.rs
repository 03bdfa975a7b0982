//! Binding of a call's arguments to names.

use std::collections::BTreeMap;

use super::array::Kind;
use super::tape::{Tape, Var};
use super::value::Value;

/// A call of an operation. A method's object is its first argument.
pub(super) struct Call<'a> {
    pub(super) tape: &'a mut Tape,
    pub(super) args: Vec<Value>,
    pub(super) kwargs: BTreeMap<String, Value>,
}

/// Implementation of an operation.
pub(super) type Function = fn(&mut Call<'_>) -> Result<Value, String>;

impl Call<'_> {
    /// Binds the arguments to names, in positional order; `a|b` is an argument with two names.
    pub(super) fn bind<const N: usize>(
        &mut self,
        names: [&str; N],
    ) -> Result<[Option<Value>; N], String> {
        if self.args.len() > N {
            return Err(format!(
                "takes at most {N} arguments, not {}",
                self.args.len()
            ));
        }
        let mut args = std::mem::take(&mut self.args).into_iter();
        let mut kwargs = std::mem::take(&mut self.kwargs);
        let bound = names.map(|names| {
            let named = names.split('|').find_map(|name| kwargs.remove(name));
            args.next().or(named)
        });
        match kwargs.keys().next() {
            Some(name) => Err(format!("takes no argument {name:?} besides those given")),
            None => Ok(bound),
        }
    }

    /// A required argument that is a tensor or a number.
    pub(super) fn tensor(&mut self, value: Option<Value>) -> Result<Var, String> {
        required(value)?.tensor(self.tape)
    }

    /// The only argument, a tensor.
    pub(super) fn only(&mut self) -> Result<Var, String> {
        let [input] = self.bind(["input|self"])?;
        self.tensor(input)
    }

    /// An element-wise function whose result is a float.
    pub(super) fn unary(
        &mut self,
        value: fn(f64) -> f64,
        slope: fn(f64) -> f64,
    ) -> Result<Value, String> {
        let input = self.only()?;
        self.map(input, Kind::Float, value, slope)
    }

    /// An element-wise function that maps integers to integers.
    pub(super) fn unary_same(
        &mut self,
        value: fn(f64) -> f64,
        slope: fn(f64) -> f64,
    ) -> Result<Value, String> {
        let input = self.only()?;
        let kind = self.tape.kind(input).max(Kind::Int);
        self.map(input, kind, value, slope)
    }

    /// An element-wise predicate.
    pub(super) fn question(&mut self, ask: fn(f64) -> bool) -> Result<Value, String> {
        let input = self.only()?;
        self.map(input, Kind::Bool, move |x| truth(ask(x)), |_| 0.0)
    }

    pub(super) fn map(
        &mut self,
        input: Var,
        kind: Kind,
        value: impl Fn(f64) -> f64,
        slope: impl Fn(f64) -> f64 + 'static,
    ) -> Result<Value, String> {
        let mapped = self
            .tape
            .elementwise([input], kind, |[x]| value(x), move |[x]| [slope(x)])?;
        Ok(Value::Tensor(mapped))
    }
}

pub(super) fn required(value: Option<Value>) -> Result<Value, String> {
    value.ok_or_else(|| "lacks an argument".to_owned())
}

/// Treats an argument that is `None` as absent.
pub(super) fn given(value: Option<Value>) -> Option<Value> {
    value.filter(|value| !matches!(value, Value::None))
}

pub(super) fn flag(value: Option<Value>, default: bool) -> Result<bool, String> {
    given(value).map_or(Ok(default), |value| value.bool())
}

pub(super) fn number(value: Option<Value>, default: f64) -> Result<f64, String> {
    given(value).map_or(Ok(default), |value| value.number())
}

pub(super) fn truth(is_true: bool) -> f64 {
    f64::from(u8::from(is_true))
}

/// The kind of a result, which the call may choose.
pub(super) fn kind_or(dtype: Option<Value>, otherwise: Kind) -> Result<Kind, String> {
    match given(dtype) {
        None => Ok(otherwise),
        Some(Value::Type(kind)) => Ok(kind),
        Some(other) => Err(format!("dtype takes a dtype, not {}", other.what())),
    }
}
