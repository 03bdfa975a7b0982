//! `Var`: an array of numbers that records how it was computed.

use std::iter::Sum;

use tinker_types::{Datum, InvalidValue};

use super::node::{self, Node, Op};

/// An array of 64-bit floats that records how it was computed. Cheap to clone.
///
/// Operators work element by element; an array of one number is broadcast. Arrays of different lengths cannot be
/// combined: [`gradients`](Self::gradients) refuses the result and names the operation.
///
/// Not `Send`: it stays on its thread.
#[derive(Debug, Clone)]
pub struct Var(pub(super) Node);

impl Var {
    /// A leaf: a variable or a constant, depending on whether its gradient is requested.
    pub fn new(values: impl IntoIterator<Item = f64>) -> Self {
        Self(Node::leaf(values.into_iter().collect()))
    }

    /// A leaf from 32-bit floats, for example a loss input of a datum.
    pub fn from_f32(values: &[f32]) -> Self {
        Self::new(values.iter().map(|&value| f64::from(value)))
    }

    /// A leaf from a loss input of a datum. Any name will do: the inputs of a custom loss are for its function only.
    ///
    /// # Errors
    /// The datum has no such input, or it is not dense float32.
    pub fn input(datum: &Datum, name: &str) -> Result<Self, InvalidValue> {
        let field = || format!("loss_fn_inputs.{name}");
        let Some(tensor) = datum.loss_fn_inputs.get(name) else {
            return Err(InvalidValue::new(
                field(),
                "is missing; the custom loss reads it",
            ));
        };
        let values = tensor.as_f32();
        let refuse =
            || InvalidValue::new(field(), "is not dense float32; the custom loss reads it");
        Ok(Self::from_f32(values.ok_or_else(refuse)?))
    }

    /// One number.
    pub fn constant(value: f64) -> Self {
        Self::new([value])
    }

    /// The numbers.
    pub fn values(&self) -> &[f64] {
        self.0.values()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.values().len()
    }

    /// Whether the array is empty.
    pub fn is_empty(&self) -> bool {
        self.values().is_empty()
    }

    /// The same numbers as constants: gradients stop here.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self(self.0.detached())
    }

    /// The smaller of each pair. The gradient goes to it; for equal elements, to that of `self`.
    #[must_use]
    pub fn min(&self, other: &Self) -> Self {
        self.pair(
            other,
            Op::Min,
            |left, right| if left <= right { left } else { right },
        )
    }

    /// The larger of each pair. The gradient goes to it; for equal elements, to that of `self`.
    #[must_use]
    pub fn max(&self, other: &Self) -> Self {
        self.pair(
            other,
            Op::Max,
            |left, right| if left >= right { left } else { right },
        )
    }

    /// Sum of all elements: one number.
    #[must_use]
    pub fn sum(&self) -> Self {
        let sum = self.values().iter().sum();
        Self(Node::new(vec![sum], Op::Sum, vec![self.0.clone()]))
    }

    /// Mean of all elements: one number. NaN for an empty array.
    #[must_use]
    pub fn mean(&self) -> Self {
        self.sum() / self.len() as f64
    }

    pub(super) fn map(&self, op: Op, function: impl Fn(f64) -> f64) -> Self {
        let values = self.values().iter().map(|&value| function(value)).collect();
        Self(Node::new(values, op, vec![self.0.clone()]))
    }

    pub(super) fn pair(&self, other: &Self, op: Op, function: impl Fn(f64, f64) -> f64) -> Self {
        Self(Node::pair(&self.0, &other.0, op, function))
    }

    /// The value of an array of one number.
    pub(crate) fn number(&self) -> Result<f64, InvalidValue> {
        if let Some(fault) = self.0.fault() {
            return Err(InvalidValue::new("loss", fault));
        }
        if self.len() != 1 {
            let why = format!("has {} numbers; reduce them with sum or mean", self.len());
            return Err(InvalidValue::new("loss", why));
        }
        Ok(self.values()[0])
    }

    /// Derivatives of this one number with respect to each element of `leaves`, 0 where it does not depend on one.
    ///
    /// # Errors
    /// This is not one number, or arrays of different lengths were combined to compute it.
    pub fn gradients(&self, leaves: &[Self]) -> Result<Vec<Vec<f64>>, InvalidValue> {
        self.number()?;
        let gradients = node::backward(&self.0);
        let of = |leaf: &Self| {
            let known = gradients.get(&leaf.0.key()).cloned();
            known.unwrap_or_else(|| vec![0.0; leaf.len()])
        };
        Ok(leaves.iter().map(of).collect())
    }
}

impl Sum for Var {
    /// The element-wise sum of arrays of equal length or of one number; 0 for an empty iterator.
    fn sum<I: Iterator<Item = Self>>(vars: I) -> Self {
        let vars: Vec<Self> = vars.collect();
        match vars.as_slice() {
            [] => Self::constant(0.0),
            // A balanced tree keeps the paths short.
            [one] => one.clone(),
            _ => {
                let halves = vars.split_at(vars.len() / 2);
                let half = |vars: &[Self]| vars.iter().cloned().sum::<Self>();
                half(halves.0) + half(halves.1)
            }
        }
    }
}
