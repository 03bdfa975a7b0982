//! Operators of arrays and of expressions.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::expr::{Binary, Expr, Unary};
use super::node::Op;
use super::var::Var;

macro_rules! operators {
    ($kind:ty, $ops:ident: $($trait:ident $method:ident $symbol:tt $op:ident;)*) => {$(
        impl $trait<&$kind> for &$kind {
            type Output = $kind;
            fn $method(self, other: &$kind) -> $kind {
                self.pair(other, $ops::$op, |left, right| left $symbol right)
            }
        }

        impl $trait<$kind> for $kind {
            type Output = $kind;
            fn $method(self, other: $kind) -> $kind {
                &self $symbol &other
            }
        }

        impl $trait<&$kind> for $kind {
            type Output = $kind;
            fn $method(self, other: &$kind) -> $kind {
                &self $symbol other
            }
        }

        impl $trait<$kind> for &$kind {
            type Output = $kind;
            fn $method(self, other: $kind) -> $kind {
                self $symbol &other
            }
        }

        impl $trait<f64> for &$kind {
            type Output = $kind;
            fn $method(self, other: f64) -> $kind {
                self $symbol &<$kind>::constant(other)
            }
        }

        impl $trait<f64> for $kind {
            type Output = $kind;
            fn $method(self, other: f64) -> $kind {
                &self $symbol &<$kind>::constant(other)
            }
        }

        impl $trait<&$kind> for f64 {
            type Output = $kind;
            fn $method(self, other: &$kind) -> $kind {
                &<$kind>::constant(self) $symbol other
            }
        }

        impl $trait<$kind> for f64 {
            type Output = $kind;
            fn $method(self, other: $kind) -> $kind {
                &<$kind>::constant(self) $symbol &other
            }
        }
    )*

        impl Neg for &$kind {
            type Output = $kind;
            fn neg(self) -> $kind {
                self.negated()
            }
        }

        impl Neg for $kind {
            type Output = $kind;
            fn neg(self) -> $kind {
                self.negated()
            }
        }
    };
}

operators! {
    Var, Op:
    Add add + Add;
    Sub sub - Sub;
    Mul mul * Mul;
    Div div / Div;
}

operators! {
    Expr, Binary:
    Add add + Add;
    Sub sub - Sub;
    Mul mul * Mul;
    Div div / Div;
}

impl Var {
    fn negated(&self) -> Self {
        self.map(Op::Neg, |value| -value)
    }
}

impl Expr {
    fn negated(&self) -> Self {
        self.map(Unary::Neg, |value| -value)
    }
}
