//! Values that nodes of a graph take and return.

use std::collections::BTreeMap;

use super::array::{Array, Kind};
use super::tape::{Tape, Var};

/// A value of a running graph.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Tensor(Var),
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    None,
    /// A list or a tuple.
    List(Vec<Value>),
    Dict(BTreeMap<String, Value>),
    /// Start, stop and step.
    Slice(Box<[Value; 3]>),
    Ellipsis,
    Type(Kind),
    /// A device or a memory layout, which is ignored.
    Place,
}

impl Value {
    /// Description for error messages.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Tensor(_) => "a tensor",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Bool(_) => "a truth value",
            Self::Text(_) => "a text",
            Self::None => "None",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dict",
            Self::Slice(_) => "a slice",
            Self::Ellipsis => "an ellipsis",
            Self::Type(_) => "a dtype",
            Self::Place => "a device or layout",
        }
    }

    /// The value as a tensor; a number becomes a tensor without dimensions.
    pub(super) fn tensor(&self, tape: &mut Tape) -> Result<Var, String> {
        let array = match *self {
            Self::Tensor(var) => return Ok(var),
            Self::Int(n) => Array::scalar(n as f64, Kind::Int),
            Self::Float(x) => Array::scalar(x, Kind::Float),
            Self::Bool(b) => Array::scalar(f64::from(u8::from(b)), Kind::Bool),
            _ => return Err(format!("takes a tensor, not {}", self.what())),
        };
        tape.constant(array)
    }

    /// The value as a number. A tensor is refused: its value is not known when a graph is made.
    pub(super) fn number(&self) -> Result<f64, String> {
        match *self {
            Self::Int(n) => Ok(n as f64),
            Self::Float(x) => Ok(x),
            Self::Bool(b) => Ok(f64::from(u8::from(b))),
            _ => Err(format!("takes a number, not {}", self.what())),
        }
    }

    pub(super) fn int(&self) -> Result<i64, String> {
        match *self {
            Self::Int(n) => Ok(n),
            Self::Bool(b) => Ok(i64::from(b)),
            _ => Err(format!("takes a whole number, not {}", self.what())),
        }
    }

    pub(super) fn bool(&self) -> Result<bool, String> {
        match *self {
            Self::Bool(b) => Ok(b),
            _ => Err(format!("takes True or False, not {}", self.what())),
        }
    }

    /// The value as integers: one, or a list.
    pub(super) fn ints(&self) -> Result<Vec<i64>, String> {
        match self {
            Self::List(values) => values.iter().map(Self::int).collect(),
            value => Ok(vec![value.int()?]),
        }
    }

    pub(super) fn list(&self) -> Result<&[Value], String> {
        match self {
            Self::List(values) => Ok(values),
            _ => Err(format!("takes a list, not {}", self.what())),
        }
    }
}

/// The value as the index of a dimension. Negative indices count from the end.
pub(super) fn dimension(dim: i64, rank: usize) -> Result<usize, String> {
    let at = if dim < 0 { dim + rank as i64 } else { dim };
    match usize::try_from(at) {
        Ok(at) if at < rank => Ok(at),
        // A tensor without dimensions counts as if it had one.
        Ok(0) if rank == 0 => Ok(0),
        _ => Err(format!(
            "dim {dim} is out of range for a tensor with {rank} dimensions"
        )),
    }
}
