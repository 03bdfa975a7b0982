//! Element-wise functions of two or three tensors, and functions of numbers.

use super::super::array::Kind;
use super::super::call::{Call, Function, given, number, required, truth};
use super::super::tape::Var;
use super::super::value::Value;
use super::pointwise;

/// Finds a function of the Python module `math`, which takes numbers only.
pub(super) fn of_number(name: &str) -> Option<Function> {
    Some(match name {
        "sqrt" => |c| plain(c, f64::sqrt),
        "exp" => |c| plain(c, f64::exp),
        "log" => |c| plain(c, f64::ln),
        "log2" => |c| plain(c, f64::log2),
        "log1p" => |c| plain(c, f64::ln_1p),
        "tanh" => |c| plain(c, f64::tanh),
        "fabs" => |c| plain(c, f64::abs),
        "floor" => |c| whole(c, f64::floor),
        "ceil" => |c| whole(c, f64::ceil),
        "pow" => |c| {
            let [x, y] = c.bind(["x", "y"])?;
            let (x, y) = (required(x)?.number()?, required(y)?.number()?);
            Ok(Value::Float(x.powf(y)))
        },
        _ => return None,
    })
}

/// Finds an element-wise function of tensors that are broadcast to one shape.
pub(super) fn of_tensors(name: &str) -> Option<Function> {
    Some(match name {
        "add" => |c| scaled(c, Rule::Add),
        "sub" | "subtract" => |c| scaled(c, Rule::Subtract),
        "mul" | "multiply" => |c| binary(c, Rule::Multiply),
        "div" | "divide" | "true_divide" => divide,
        "floor_divide" => |c| binary(c, Rule::FloorDivide),
        "remainder" => |c| binary(c, Rule::Remainder),
        "pow" => |c| binary(c, Rule::Power),
        "maximum" | "fmax" => |c| binary(c, Rule::Maximum),
        "minimum" | "fmin" => |c| binary(c, Rule::Minimum),
        "eq" => |c| binary(c, Rule::Equal),
        "ne" | "not_equal" => |c| binary(c, Rule::Unequal),
        "lt" | "less" => |c| binary(c, Rule::Less),
        "le" | "less_equal" => |c| binary(c, Rule::AtMost),
        "gt" | "greater" => |c| binary(c, Rule::Greater),
        "ge" | "greater_equal" => |c| binary(c, Rule::AtLeast),
        "logical_and" | "bitwise_and" => |c| binary(c, Rule::And),
        "logical_or" | "bitwise_or" => |c| binary(c, Rule::Or),
        "logical_xor" | "bitwise_xor" => |c| binary(c, Rule::Xor),
        "logaddexp" => |c| binary(c, Rule::LogAddExp),
        "where" => select,
        "masked_fill" => masked_fill,
        "clamp" | "clip" => clamp,
        "clamp_min" => |c| {
            let [input, low] = c.bind(["input|self", "min"])?;
            between(c, input, low, None)
        },
        "clamp_max" => |c| {
            let [input, high] = c.bind(["input|self", "max"])?;
            between(c, input, None, high)
        },
        "lerp" => |c| {
            let [start, end, weight] = c.bind(["input|self", "end", "weight"])?;
            let inputs = [c.tensor(start)?, c.tensor(end)?, c.tensor(weight)?];
            let lerp = |[a, b, w]: [f64; 3]| a + w * (b - a);
            let slopes = |[a, b, w]: [f64; 3]| [1.0 - w, w, b - a];
            let result = c.tape.elementwise(inputs, Kind::Float, lerp, slopes)?;
            Ok(Value::Tensor(result))
        },
        _ => return None,
    })
}

/// A function of two numbers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
    Maximum,
    Minimum,
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    And,
    Or,
    Xor,
    LogAddExp,
}

impl Rule {
    #[expect(clippy::float_cmp, reason = "what the graph asks for")]
    fn value(self, [x, y]: [f64; 2]) -> f64 {
        match self {
            Self::Add => x + y,
            Self::Subtract => x - y,
            Self::Multiply => x * y,
            Self::Divide => x / y,
            Self::FloorDivide => (x / y).floor(),
            Self::Remainder => x - y * (x / y).floor(),
            Self::Power => x.powf(y),
            Self::Maximum | Self::Minimum if x.is_nan() || y.is_nan() => f64::NAN,
            Self::Maximum => x.max(y),
            Self::Minimum => x.min(y),
            Self::Equal => truth(x == y),
            Self::Unequal => truth(x != y),
            Self::Less => truth(x < y),
            Self::AtMost => truth(x <= y),
            Self::Greater => truth(x > y),
            Self::AtLeast => truth(x >= y),
            Self::And => truth(x != 0.0 && y != 0.0),
            Self::Or => truth(x != 0.0 || y != 0.0),
            Self::Xor => truth((x != 0.0) != (y != 0.0)),
            Self::LogAddExp => {
                let most = x.max(y);
                if most.is_infinite() {
                    most
                } else {
                    most + ((x - most).exp() + (y - most).exp()).ln()
                }
            }
        }
    }

    /// The partial derivatives.
    #[expect(clippy::float_cmp, reason = "ties are exact")]
    fn slopes(self, [x, y]: [f64; 2]) -> [f64; 2] {
        match self {
            Self::Add => [1.0, 1.0],
            Self::Subtract => [1.0, -1.0],
            Self::Multiply => [y, x],
            Self::Divide => [1.0 / y, -x / (y * y)],
            Self::Remainder => [1.0, -(x / y).floor()],
            Self::Power => {
                let by_x = if y == 0.0 { 0.0 } else { y * x.powf(y - 1.0) };
                let by_y = if x == 0.0 && y >= 0.0 {
                    0.0
                } else {
                    x.powf(y) * x.ln()
                };
                [by_x, by_y]
            }
            // Equal values share the gradient.
            Self::Maximum | Self::Minimum if x == y => [0.5, 0.5],
            Self::Maximum => [truth(x > y), truth(y > x)],
            Self::Minimum => [truth(x < y), truth(y < x)],
            Self::LogAddExp => [pointwise::sigmoid(x - y), pointwise::sigmoid(y - x)],
            _ => [0.0, 0.0],
        }
    }

    /// The kind of the result, from the larger kind of the arguments.
    fn kind(self, largest: Kind) -> Kind {
        match self {
            Self::Add
            | Self::Subtract
            | Self::Multiply
            | Self::Power
            | Self::FloorDivide
            | Self::Remainder => largest.max(Kind::Int),
            Self::Maximum | Self::Minimum => largest,
            Self::Divide | Self::LogAddExp => Kind::Float,
            _ => Kind::Bool,
        }
    }

    fn is_of_bools(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Xor)
    }
}

pub(super) fn binary(call: &mut Call<'_>, rule: Rule) -> Result<Value, String> {
    let [x, y] = call.bind(["input|self", "other|exponent"])?;
    apply(call, rule, &required(x)?, &required(y)?)
}

fn apply(call: &mut Call<'_>, rule: Rule, x: &Value, y: &Value) -> Result<Value, String> {
    if let (Ok(a), Ok(b)) = (x.number(), y.number()) {
        let is_whole = |value: &Value| matches!(value, Value::Int(_) | Value::Bool(_));
        let largest = if is_whole(x) && is_whole(y) {
            Kind::Int
        } else {
            Kind::Float
        };
        return Ok(plain_value(rule.value([a, b]), rule.kind(largest)));
    }
    let inputs = [x.tensor(call.tape)?, y.tensor(call.tape)?];
    let kinds = inputs.map(|input| call.tape.kind(input));
    let largest = kinds[0].max(kinds[1]);
    if rule.is_of_bools() && largest != Kind::Bool {
        return Err(
            "combines bits of numbers, which is not offered; compare them first".to_owned(),
        );
    }
    combine(call, rule, inputs, rule.kind(largest))
}

fn combine(call: &mut Call<'_>, rule: Rule, inputs: [Var; 2], kind: Kind) -> Result<Value, String> {
    let result = call.tape.elementwise(
        inputs,
        kind,
        |arguments| rule.value(arguments),
        move |arguments| rule.slopes(arguments),
    )?;
    Ok(Value::Tensor(result))
}

fn plain_value(value: f64, kind: Kind) -> Value {
    match kind {
        Kind::Float => Value::Float(value),
        Kind::Int => Value::Int(value as i64),
        Kind::Bool => Value::Bool(value != 0.0),
    }
}

/// `x + alpha * y` and `x - alpha * y`
fn scaled(call: &mut Call<'_>, rule: Rule) -> Result<Value, String> {
    let [x, y, alpha] = call.bind(["input|self", "other", "alpha"])?;
    let (x, mut y) = (required(x)?, required(y)?);
    if let Some(alpha) = given(alpha) {
        y = apply(call, Rule::Multiply, &y, &alpha)?;
    }
    apply(call, rule, &x, &y)
}

fn divide(call: &mut Call<'_>) -> Result<Value, String> {
    let [x, y, rounding] = call.bind(["input|self", "other", "rounding_mode"])?;
    let (x, y) = (required(x)?, required(y)?);
    match given(rounding) {
        None => apply(call, Rule::Divide, &x, &y),
        Some(Value::Text(mode)) if mode == "floor" => apply(call, Rule::FloorDivide, &x, &y),
        Some(_) => Err("rounding_mode is offered only as \"floor\"".to_owned()),
    }
}

/// `where(condition, x, y)`, as a method `x.where(condition, y)`.
fn select(call: &mut Call<'_>) -> Result<Value, String> {
    let [first, second, third] = call.bind(["condition|self", "input", "other"])?;
    let mut inputs = [
        call.tensor(first)?,
        call.tensor(second)?,
        call.tensor(third)?,
    ];
    if call.tape.kind(inputs[0]) != Kind::Bool && call.tape.kind(inputs[1]) == Kind::Bool {
        inputs.swap(0, 1);
    }
    if call.tape.kind(inputs[0]) != Kind::Bool {
        return Err("takes a condition of truth values; compare first".to_owned());
    }
    let kind = call.tape.kind(inputs[1]).max(call.tape.kind(inputs[2]));
    let result = call.tape.elementwise(
        inputs,
        kind,
        |[c, x, y]| if c == 0.0 { y } else { x },
        |[c, _, _]| [0.0, truth(c != 0.0), truth(c == 0.0)],
    )?;
    Ok(Value::Tensor(result))
}

fn masked_fill(call: &mut Call<'_>) -> Result<Value, String> {
    let [input, mask, value] = call.bind(["input|self", "mask", "value"])?;
    call.args = vec![required(mask)?, required(value)?, required(input)?];
    select(call)
}

fn clamp(call: &mut Call<'_>) -> Result<Value, String> {
    let [input, low, high] = call.bind(["input|self", "min", "max"])?;
    between(call, input, low, high)
}

fn between(
    call: &mut Call<'_>,
    input: Option<Value>,
    low: Option<Value>,
    high: Option<Value>,
) -> Result<Value, String> {
    let input = call.tensor(input)?;
    let (low, high) = (given(low), given(high));
    if low.is_none() && high.is_none() {
        return Err("takes min, max or both".to_owned());
    }
    let bound = |call: &mut Call<'_>, bound: Option<Value>, open: f64| {
        bound.unwrap_or(Value::Float(open)).tensor(call.tape)
    };
    let whole = [&low, &high]
        .into_iter()
        .flatten()
        .all(|bound| match bound {
            Value::Tensor(bound) => call.tape.kind(*bound) != Kind::Float,
            other => !matches!(other, Value::Float(_)),
        });
    let kind = if whole {
        call.tape.kind(input)
    } else {
        Kind::Float
    };
    let inputs = [
        input,
        bound(call, low, f64::NEG_INFINITY)?,
        bound(call, high, f64::INFINITY)?,
    ];
    // If the bounds cross, the upper one wins.
    let result = call.tape.elementwise(
        inputs,
        kind,
        |[x, low, high]| if x.is_nan() { x } else { x.max(low).min(high) },
        |[x, low, high]| {
            [
                truth(low <= x && x <= high),
                truth(x < low && low < high),
                truth(high < x || (x < low && high <= low)),
            ]
        },
    )?;
    Ok(Value::Tensor(result))
}

pub(super) fn unary(
    call: &mut Call<'_>,
    plain: fn(f64) -> f64,
    name: &str,
) -> Result<Value, String> {
    match &call.args[..] {
        [Value::Int(n)] => Ok(Value::Int(plain(*n as f64) as i64)),
        [Value::Float(x)] => Ok(Value::Float(plain(*x))),
        _ => match pointwise::find(name) {
            Some(function) => function(call),
            None => Err(format!("{name} is not offered")),
        },
    }
}

fn plain(call: &mut Call<'_>, function: fn(f64) -> f64) -> Result<Value, String> {
    let [x] = call.bind(["x"])?;
    let x = number(x, f64::NAN).map_err(|why| format!("{why}; use the function of torch"))?;
    Ok(Value::Float(function(x)))
}

fn whole(call: &mut Call<'_>, function: fn(f64) -> f64) -> Result<Value, String> {
    let Value::Float(x) = plain(call, function)? else {
        return Err("gives no number".to_owned());
    };
    Ok(Value::Int(x as i64))
}
