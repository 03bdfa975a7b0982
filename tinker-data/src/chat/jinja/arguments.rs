//! Arguments of a call, by position and by name.

use minijinja::value::Kwargs;
use minijinja::{Error, Value};

use super::refusal::refuse;

/// The arguments of one call in the order of its parameters.
pub(super) struct Arguments<'a, const N: usize> {
    method: &'a str,
    given: [Option<Value>; N],
}

impl<'a, const N: usize> Arguments<'a, N> {
    /// Sorts the arguments by these parameters. A parameter with an empty name has no name.
    pub(super) fn new(
        method: &'a str,
        args: &[Value],
        parameters: [&str; N],
    ) -> Result<Self, Error> {
        let (args, named) = match args.split_last() {
            Some((last, rest)) if last.is_kwargs() => (rest, Some(Kwargs::try_from(last.clone())?)),
            _ => (args, None),
        };
        if args.len() > N {
            return Err(refuse(format!("{method} takes at most {N} arguments")));
        }
        let mut given = [const { None }; N];
        for (slot, value) in given.iter_mut().zip(args) {
            *slot = Some(value.clone());
        }
        if let Some(named) = named {
            for (slot, parameter) in given.iter_mut().zip(parameters) {
                if slot.is_none() && !parameter.is_empty() {
                    *slot = named.get(parameter)?;
                }
            }
            named.assert_all_used()?;
        }
        Ok(Self { method, given })
    }

    /// The argument at this position, if it was given.
    pub(super) fn get(&self, at: usize) -> Option<&Value> {
        self.given[at].as_ref()
    }

    /// The argument at this position unless it is none.
    pub(super) fn some(&self, at: usize) -> Option<&Value> {
        self.get(at).filter(|value| !value.is_none())
    }

    /// An argument that has to be given.
    pub(super) fn required(&self, at: usize) -> Result<&Value, Error> {
        let missing = || refuse(format!("{} needs more arguments", self.method));
        self.get(at).ok_or_else(missing)
    }

    /// A text that has to be given.
    pub(super) fn text(&self, at: usize) -> Result<&str, Error> {
        self.as_text(self.required(at)?)
    }

    /// A text, or none.
    pub(super) fn some_text(&self, at: usize) -> Result<Option<&str>, Error> {
        self.some(at).map(|value| self.as_text(value)).transpose()
    }

    /// A whole number, if it was given.
    pub(super) fn integer(&self, at: usize) -> Result<Option<i64>, Error> {
        let Some(value) = self.some(at) else {
            return Ok(None);
        };
        let wrong = || {
            let kind = value.kind();
            refuse(format!("{} takes a whole number, not {kind}", self.method))
        };
        let number = i64::from(value.is_true());
        match value.kind() {
            minijinja::value::ValueKind::Bool => Ok(Some(number)),
            _ => value.as_i64().ok_or_else(wrong).map(Some),
        }
    }

    fn as_text<'v>(&self, value: &'v Value) -> Result<&'v str, Error> {
        let wrong = || {
            refuse(format!(
                "{} takes a text, not {}",
                self.method,
                value.kind()
            ))
        };
        value.as_str().ok_or_else(wrong)
    }
}
