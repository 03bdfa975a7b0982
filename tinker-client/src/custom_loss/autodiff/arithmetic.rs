//! Operators and element-wise functions of arrays and of expressions.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::expr::{Binary, Expr, Unary};
use super::node::{Op, log_sigmoid, sigmoid};
use super::var::Var;

/// Implements the operators of `$kind` for values, references and numbers.
macro_rules! operators {
    ($kind:ident, $ops:ident: $($trait:ident $method:ident $symbol:tt;)*) => {$(
        impl $trait<&$kind> for &$kind {
            type Output = $kind;
            fn $method(self, other: &$kind) -> $kind {
                self.pair(other, $ops::$trait, |left, right| left $symbol right)
            }
        }

        operators!(@by_reference $kind, $trait $method:
            ($kind, $kind) => |left, right| &left $symbol &right;
            ($kind, &$kind) => |left, right| &left $symbol right;
            (&$kind, $kind) => |left, right| left $symbol &right;
            (&$kind, f64) => |left, right| left $symbol &$kind::constant(right);
            ($kind, f64) => |left, right| &left $symbol &$kind::constant(right);
            (f64, &$kind) => |left, right| &$kind::constant(left) $symbol right;
            (f64, $kind) => |left, right| &$kind::constant(left) $symbol &right;
        );
    )*};
    (@by_reference $kind:ident, $trait:ident $method:ident:
        $(($left:ty, $right:ty) => |$a:ident, $b:ident| $value:expr;)*
    ) => {$(
        impl $trait<$right> for $left {
            type Output = $kind;
            fn $method(self, $b: $right) -> $kind {
                let $a = self;
                $value
            }
        }
    )*};
}

operators! {
    Var, Op:
    Add add +;
    Sub sub -;
    Mul mul *;
    Div div /;
}

operators! {
    Expr, Binary:
    Add add +;
    Sub sub -;
    Mul mul *;
    Div div /;
}

/// Implements the negation of `$kind` and its functions of each element.
macro_rules! functions {
    ($kind:ident, $ops:ident) => {
        impl Neg for &$kind {
            type Output = $kind;
            fn neg(self) -> $kind {
                self.map($ops::Neg, |value| -value)
            }
        }

        impl Neg for $kind {
            type Output = $kind;
            fn neg(self) -> $kind {
                -&self
            }
        }

        impl $kind {
            /// `e` to the power of each.
            #[must_use]
            pub fn exp(&self) -> Self {
                self.map($ops::Exp, f64::exp)
            }

            /// Natural logarithm of each.
            #[must_use]
            pub fn log(&self) -> Self {
                self.map($ops::Log, f64::ln)
            }

            /// Absolute value of each. The derivative at 0 is defined as 0.
            #[must_use]
            pub fn abs(&self) -> Self {
                self.map($ops::Abs, f64::abs)
            }

            /// Square root of each. The derivative at 0 is infinite.
            #[must_use]
            pub fn sqrt(&self) -> Self {
                self.map($ops::Sqrt, f64::sqrt)
            }

            /// `1 / (1 + e^-x)` of each.
            #[must_use]
            pub fn sigmoid(&self) -> Self {
                self.map($ops::Sigmoid, sigmoid)
            }

            /// Logarithm of the sigmoid of each, numerically stable. Used by preference losses.
            #[must_use]
            pub fn log_sigmoid(&self) -> Self {
                self.map($ops::LogSigmoid, log_sigmoid)
            }

            /// Each limited to two bounds. The gradient of a limited element is 0.
            #[must_use]
            pub fn clamp(&self, low: f64, high: f64) -> Self {
                self.map($ops::Clamp(low, high), |value| value.max(low).min(high))
            }
        }
    };
}

impl Var {
    /// Each to a power. A negative value to a power that is not whole is not a number, as in [`f64::powf`].
    #[must_use]
    pub fn powf(&self, exponent: f64) -> Self {
        self.map(Op::Pow(exponent), |value| value.powf(exponent))
    }
}

functions!(Var, Op);
functions!(Expr, Unary);
