//! Functions of the Python module `operator`.

use super::super::call::Function;
use super::arithmetic::{self, Rule};
use super::{index, pointwise, product};

/// Finds a function of the Python module `operator`.
pub(super) fn find(name: &str) -> Option<Function> {
    Some(match name {
        "add" | "sub" | "mul" | "pow" | "eq" | "ne" | "lt" | "le" | "gt" | "ge" => {
            return arithmetic::of_tensors(name);
        }
        "truediv" => |c| arithmetic::binary(c, Rule::Divide),
        "floordiv" => |c| arithmetic::binary(c, Rule::FloorDivide),
        "mod" => |c| arithmetic::binary(c, Rule::Remainder),
        "and_" => |c| arithmetic::binary(c, Rule::And),
        "or_" => |c| arithmetic::binary(c, Rule::Or),
        "xor" => |c| arithmetic::binary(c, Rule::Xor),
        "neg" => |c| arithmetic::unary(c, |x| -x, "neg"),
        "pos" => |c| arithmetic::unary(c, |x| x, "positive"),
        "abs" => |c| arithmetic::unary(c, f64::abs, "abs"),
        "invert" => pointwise::inverted,
        "getitem" => index::getitem,
        "matmul" => product::matmul,
        _ => return None,
    })
}
