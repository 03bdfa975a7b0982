//! Evaluation of expressions by the client.

use std::collections::HashMap;

use tinker_types::InvalidValue;

use super::{Binary, Expr, Term, Unary};
use crate::custom_loss::autodiff::var::Var;

/// Evaluates expressions on the arrays of one datum; shared parts are computed once.
#[derive(Debug)]
pub(crate) struct Local<'a> {
    inputs: HashMap<&'a str, Var>,
    known: HashMap<*const (), Var>,
}

impl<'a> Local<'a> {
    pub(crate) fn new(inputs: HashMap<&'a str, Var>) -> Self {
        let known = HashMap::new();
        Self { inputs, known }
    }

    pub(crate) fn run(&mut self, expr: &Expr) -> Result<Var, InvalidValue> {
        if let Some(known) = self.known.get(&expr.key()) {
            return Ok(known.clone());
        }
        let result = match &expr.0.term {
            Term::Input(name) => {
                let input = self.inputs.get(&**name).cloned();
                input.ok_or_else(|| InvalidValue::new(&**name, "is missing"))?
            }
            Term::Constant(value) => Var::constant(*value),
            Term::Unary(op, of) => unary(*op, &self.run(of)?),
            Term::Binary(op, left, right) => {
                let (left, right) = (self.run(left)?, self.run(right)?);
                binary(*op, &left, &right)
            }
        };
        self.known.insert(expr.key(), result.clone());
        Ok(result)
    }
}

fn unary(op: Unary, of: &Var) -> Var {
    match op {
        Unary::Neg => -of,
        Unary::Exp => of.exp(),
        Unary::Log => of.log(),
        Unary::Abs => of.abs(),
        Unary::Sqrt => of.sqrt(),
        Unary::Sigmoid => of.sigmoid(),
        Unary::LogSigmoid => of.log_sigmoid(),
        Unary::Clamp(low, high) => of.clamp(low, high),
        Unary::Sum => of.sum(),
        Unary::Mean => of.mean(),
        Unary::Detach => of.detach(),
    }
}

fn binary(op: Binary, left: &Var, right: &Var) -> Var {
    match op {
        Binary::Add => left + right,
        Binary::Sub => left - right,
        Binary::Mul => left * right,
        Binary::Div => left / right,
        Binary::Min => left.min(right),
        Binary::Max => left.max(right),
    }
}
