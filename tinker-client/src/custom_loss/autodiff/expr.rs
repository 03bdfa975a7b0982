//! `Expr`: a symbolic computation, run by the client or by the server.

pub(crate) mod export;
pub(crate) mod local;

use std::sync::Arc;

use tinker_types::InvalidValue;

/// Name of the log probabilities among the inputs of a loss.
pub(crate) const LOGPROBS: &str = "logprobs";

/// A symbolic computation over the log probabilities and loss inputs of one datum; part of a
/// [`LossGraph`](crate::LossGraph). Cheap to clone.
///
/// Has the operations of [`Var`](super::Var) with the same results. Since no values exist while it is built, its result
/// depends on them through these operations only, and a server can run it.
///
/// ```
/// use tinker_client::autodiff::Expr;
///
/// // Importance sampling: -sum exp(lp - q) A.
/// let ratio = (Expr::logprobs() - Expr::input("sampled")).exp();
/// let loss = -(ratio * Expr::input("advantages")).sum();
/// ```
#[derive(Debug, Clone)]
pub struct Expr(Arc<Node>);

#[derive(Debug)]
struct Node {
    term: Term,
    rank: u8,
    /// The reason why the expression is invalid, if it is.
    fault: Option<Arc<str>>,
}

/// An operation and its operands.
#[derive(Debug)]
enum Term {
    Input(Box<str>),
    Constant(f64),
    Unary(Unary, Expr),
    Binary(Binary, Expr, Expr),
}

/// An operation on one array.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Unary {
    Neg,
    Exp,
    Log,
    Abs,
    Sqrt,
    Sigmoid,
    LogSigmoid,
    Clamp(f64, f64),
    Sum,
    Mean,
    Detach,
}

/// An operation on two arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
}

impl Expr {
    /// The log probabilities of a datum's targets, `[T]`.
    pub fn logprobs() -> Self {
        Self::input(LOGPROBS)
    }

    /// A loss input of the datum, `[T]`; the name is its key in `loss_fn_inputs`.
    pub fn input(name: impl Into<String>) -> Self {
        Self::input_of_rank(name, 1)
    }

    /// A loss input with this many dimensions: 0 for one number, 1 for `[T]`, 2 for `[T, K]`.
    pub fn input_of_rank(name: impl Into<String>, rank: u8) -> Self {
        Self::new(Term::Input(name.into().into()), rank)
    }

    /// A number.
    pub fn constant(value: f64) -> Self {
        Self::new(Term::Constant(value), 0)
    }

    /// The same value as a constant: gradients stop here.
    #[must_use]
    pub fn detach(&self) -> Self {
        self.map(Unary::Detach, |value| value)
    }

    /// The smaller of each pair. The gradient goes to it; equal elements may share it.
    #[must_use]
    pub fn min(&self, other: &Self) -> Self {
        self.pair(other, Binary::Min, f64::min)
    }

    /// The larger of each pair. The gradient goes to it; equal elements may share it.
    #[must_use]
    pub fn max(&self, other: &Self) -> Self {
        self.pair(other, Binary::Max, f64::max)
    }

    /// Sum of all elements: one number.
    #[must_use]
    pub fn sum(&self) -> Self {
        self.map(Unary::Sum, |value| value)
    }

    /// Mean of all elements: one number.
    #[must_use]
    pub fn mean(&self) -> Self {
        self.map(Unary::Mean, |value| value)
    }

    fn new(term: Term, rank: u8) -> Self {
        let fault = None;
        Self(Arc::new(Node { term, rank, fault }))
    }

    pub(super) fn map(&self, op: Unary, function: impl Fn(f64) -> f64) -> Self {
        if let Term::Constant(value) = self.0.term {
            return Self::constant(function(value));
        }
        let rank = if matches!(op, Unary::Sum | Unary::Mean) {
            0
        } else {
            self.0.rank
        };
        Self(Arc::new(Node {
            term: Term::Unary(op, self.clone()),
            rank,
            fault: self.0.fault.clone(),
        }))
    }

    pub(super) fn pair(
        &self,
        other: &Self,
        op: Binary,
        function: impl Fn(f64, f64) -> f64,
    ) -> Self {
        if let (Term::Constant(left), Term::Constant(right)) = (&self.0.term, &other.0.term) {
            return Self::constant(function(*left, *right));
        }
        let (left, right) = (self.0.rank, other.0.rank);
        let mismatch = || {
            let differ = left != right && left.min(right) > 0;
            let why =
                || format!("{op:?} of {left} dimensions and {right}: the shapes differ").into();
            differ.then(why)
        };
        let fault = self.0.fault.clone().or_else(|| other.0.fault.clone());
        Self(Arc::new(Node {
            term: Term::Binary(op, self.clone(), other.clone()),
            rank: left.max(right),
            fault: fault.or_else(mismatch),
        }))
    }

    /// Checks that this is one number that depends on an input.
    pub(crate) fn check_number(&self, place: &str) -> Result<(), InvalidValue> {
        if let Some(fault) = &self.0.fault {
            return Err(InvalidValue::new(place, fault.to_string()));
        }
        if self.0.rank > 0 {
            let why = "is an array for each datum; reduce it with sum or mean";
            return Err(InvalidValue::new(place, why));
        }
        if matches!(self.0.term, Term::Constant(_)) {
            return Err(InvalidValue::new(place, "depends on no input"));
        }
        Ok(())
    }

    fn key(&self) -> *const () {
        Arc::as_ptr(&self.0).cast()
    }
}

#[cfg(test)]
mod tests;
