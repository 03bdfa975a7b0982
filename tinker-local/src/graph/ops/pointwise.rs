//! Element-wise functions of one tensor.

use super::super::array::Kind;
use super::super::call::{Call, Function, given, number, truth};
use super::super::value::Value;

pub(super) fn find(name: &str) -> Option<Function> {
    Some(match name {
        "abs" | "absolute" | "fabs" => |c| c.unary_same(f64::abs, sign),
        "neg" | "negative" => |c| c.unary_same(|x| -x, |_| -1.0),
        "positive" => |c| c.unary_same(|x| x, |_| 1.0),
        "square" => |c| c.unary_same(|x| x * x, |x| 2.0 * x),
        "relu" => |c| c.unary_same(|x| x.max(0.0), |x| truth(x > 0.0)),
        "sign" | "sgn" => |c| c.unary_same(sign, |_| 0.0),
        "floor" => |c| c.unary_same(f64::floor, |_| 0.0),
        "ceil" => |c| c.unary_same(f64::ceil, |_| 0.0),
        "round" => |c| c.unary_same(f64::round_ties_even, |_| 0.0),
        "trunc" | "fix" => |c| c.unary_same(f64::trunc, |_| 0.0),
        "exp" => |c| c.unary(f64::exp, f64::exp),
        "exp2" => |c| c.unary(f64::exp2, |x| x.exp2() * std::f64::consts::LN_2),
        "expm1" => |c| c.unary(f64::exp_m1, f64::exp),
        "log" => |c| c.unary(f64::ln, f64::recip),
        "log2" => |c| c.unary(f64::log2, |x| 1.0 / (x * std::f64::consts::LN_2)),
        "log10" => |c| c.unary(f64::log10, |x| 1.0 / (x * std::f64::consts::LN_10)),
        "log1p" => |c| c.unary(f64::ln_1p, |x| 1.0 / (1.0 + x)),
        "sqrt" => |c| c.unary(f64::sqrt, |x| 0.5 / x.sqrt()),
        "rsqrt" => |c| c.unary(|x| x.sqrt().recip(), |x| -0.5 / (x * x.sqrt())),
        "reciprocal" => |c| c.unary(f64::recip, |x| -1.0 / (x * x)),
        "sin" => |c| c.unary(f64::sin, f64::cos),
        "cos" => |c| c.unary(f64::cos, |x| -x.sin()),
        "tanh" => |c| c.unary(f64::tanh, |x| 1.0 - x.tanh() * x.tanh()),
        "sigmoid" | "expit" => |c| c.unary(sigmoid, |x| sigmoid(x) * sigmoid(-x)),
        "logsigmoid" | "log_sigmoid" => |c| c.unary(|x| -softplus(-x), |x| sigmoid(-x)),
        "silu" => |c| c.unary(|x| x * sigmoid(x), |x| sigmoid(x) * (1.0 + x * sigmoid(-x))),
        "softplus" => scaled_softplus,
        "isnan" => |c| c.question(f64::is_nan),
        "isinf" => |c| c.question(f64::is_infinite),
        "isfinite" => |c| c.question(f64::is_finite),
        "logical_not" => |c| c.question(|x| x == 0.0),
        "bitwise_not" => inverted,
        "nan_to_num" => nan_to_num,
        _ => return None,
    })
}

fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

pub(super) fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        x.exp() / (1.0 + x.exp())
    }
}

pub(super) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn scaled_softplus(call: &mut Call<'_>) -> Result<Value, String> {
    let [input, beta, threshold] = call.bind(["input", "beta", "threshold"])?;
    let (input, beta) = (call.tensor(input)?, number(beta, 1.0)?);
    let threshold = number(threshold, 20.0)?;
    call.map(
        input,
        Kind::Float,
        |x| {
            if x * beta > threshold {
                x
            } else {
                softplus(x * beta) / beta
            }
        },
        move |x| {
            if x * beta > threshold {
                1.0
            } else {
                sigmoid(x * beta)
            }
        },
    )
}

/// `~mask`
pub(super) fn inverted(call: &mut Call<'_>) -> Result<Value, String> {
    let input = call.only()?;
    match call.tape.kind(input) {
        Kind::Bool => call.map(input, Kind::Bool, |x| truth(x == 0.0), |_| 0.0),
        Kind::Int => call.map(input, Kind::Int, |x| -x - 1.0, |_| 0.0),
        Kind::Float => Err("inverts the bits of floats, which has no meaning".to_owned()),
    }
}

fn nan_to_num(call: &mut Call<'_>) -> Result<Value, String> {
    let [input, nan, high, low] = call.bind(["input|self", "nan", "posinf", "neginf"])?;
    let input = call.tensor(input)?;
    let kind = call.tape.kind(input);
    // The limits of 32-bit floats, the type that graphs are written for.
    let (most, least) = (f64::from(f32::MAX), f64::from(f32::MIN));
    let (nan, high, low) = (
        number(nan, 0.0)?,
        given(high).map_or(Ok(most), |value| value.number())?,
        given(low).map_or(Ok(least), |value| value.number())?,
    );
    call.map(
        input,
        kind,
        |x| match x {
            x if x.is_nan() => nan,
            f64::INFINITY => high,
            f64::NEG_INFINITY => low,
            x => x,
        },
        |x| truth(x.is_finite()),
    )
}
