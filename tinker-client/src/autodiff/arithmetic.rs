//! Operators between arrays, and between arrays and numbers.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::Var;
use super::graph::Op;

macro_rules! operators {
    ($($trait:ident $method:ident $symbol:tt $op:ident;)*) => {$(
        impl $trait<&Var> for &Var {
            type Output = Var;
            fn $method(self, other: &Var) -> Var {
                self.pair(other, Op::$op, |left, right| left $symbol right)
            }
        }

        impl $trait<Var> for Var {
            type Output = Var;
            fn $method(self, other: Var) -> Var {
                &self $symbol &other
            }
        }

        impl $trait<&Var> for Var {
            type Output = Var;
            fn $method(self, other: &Var) -> Var {
                &self $symbol other
            }
        }

        impl $trait<Var> for &Var {
            type Output = Var;
            fn $method(self, other: Var) -> Var {
                self $symbol &other
            }
        }

        impl $trait<f64> for &Var {
            type Output = Var;
            fn $method(self, other: f64) -> Var {
                self $symbol &Var::constant(other)
            }
        }

        impl $trait<f64> for Var {
            type Output = Var;
            fn $method(self, other: f64) -> Var {
                &self $symbol &Var::constant(other)
            }
        }

        impl $trait<&Var> for f64 {
            type Output = Var;
            fn $method(self, other: &Var) -> Var {
                &Var::constant(self) $symbol other
            }
        }

        impl $trait<Var> for f64 {
            type Output = Var;
            fn $method(self, other: Var) -> Var {
                &Var::constant(self) $symbol &other
            }
        }
    )*};
}

operators! {
    Add add + Add;
    Sub sub - Sub;
    Mul mul * Mul;
    Div div / Div;
}

impl Neg for &Var {
    type Output = Var;
    fn neg(self) -> Var {
        self.map(Op::Neg, |value| -value)
    }
}

impl Neg for Var {
    type Output = Var;
    fn neg(self) -> Var {
        -&self
    }
}
