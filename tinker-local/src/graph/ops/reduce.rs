//! Reductions: sums, extremes, softmax.

use super::super::array::{Array, Kind, strides};
use super::super::call::{Call, Function, flag, given, number, required};
use super::super::tape::{Tape, Var};
use super::super::value::{Value, dimension};
use super::groups::Groups;
use crate::graph::call::kind_or;

pub(super) fn find(name: &str) -> Option<Function> {
    Some(match name {
        "sum" => sum,
        "mean" => mean,
        "var" => |c| variance(c, false),
        "std" => |c| variance(c, true),
        "norm" => norm,
        "max" => |c| extreme(c, true),
        "min" => |c| extreme(c, false),
        "amax" => |c| shared_extreme(c, true),
        "amin" => |c| shared_extreme(c, false),
        "argmax" => |c| place_of_extreme(c, true),
        "argmin" => |c| place_of_extreme(c, false),
        "any" => |c| quantified(c, |sum, _| sum > 0.0),
        "all" => |c| quantified(c, |sum, count| sum >= count),
        "count_nonzero" => count_nonzero,
        "logsumexp" => logsumexp,
        "softmax" => |c| softmax(c, false),
        "log_softmax" => |c| softmax(c, true),
        "cumsum" => cumsum,
        _ => return None,
    })
}

/// Arguments of most reductions: the tensor, its groups, and whether reduced dimensions are kept as 1.
fn over(
    call: &mut Call<'_>,
    input: Option<Value>,
    dim: Option<Value>,
    keep: Option<Value>,
) -> Result<(Var, Groups, bool), String> {
    let input = call.tensor(input)?;
    let dims = given(dim).map_or(Ok(Vec::new()), |dim| dim.ints())?;
    let groups = Groups::new(call.tape.shape(input), &dims)?;
    Ok((input, groups, flag(keep, false)?))
}

fn add_up(
    tape: &mut Tape,
    input: Var,
    groups: Groups,
    keep: bool,
    kind: Kind,
) -> Result<Var, String> {
    let mut data = vec![0.0; groups.count()];
    for (&group, x) in groups.of.iter().zip(tape.array(input).data.iter()) {
        data[group] += x;
    }
    let array = Array::new(groups.result_shape(keep), data, kind);
    tape.result(array, &[input], move |gradient, gradients| {
        gradients.add(input, |into| {
            for (into, &group) in into.iter_mut().zip(&groups.of) {
                *into += gradient[group];
            }
        });
    })
}

fn sum(call: &mut Call<'_>) -> Result<Value, String> {
    let [input, dim, keep, dtype] = call.bind(["input|self", "dim|axis", "keepdim", "dtype"])?;
    let (input, groups, keep) = over(call, input, dim, keep)?;
    let kind = kind_or(dtype, call.tape.kind(input).max(Kind::Int))?;
    Ok(Value::Tensor(add_up(call.tape, input, groups, keep, kind)?))
}

fn mean(call: &mut Call<'_>) -> Result<Value, String> {
    let [input, dim, keep, dtype] = call.bind(["input|self", "dim|axis", "keepdim", "dtype"])?;
    let (input, groups, keep) = over(call, input, dim, keep)?;
    if kind_or(dtype, call.tape.kind(input))? != Kind::Float {
        return Err("takes the mean of whole numbers; call .float() first".to_owned());
    }
    Ok(Value::Tensor(average(call, input, groups, keep)?))
}

fn average(call: &mut Call<'_>, input: Var, groups: Groups, keep: bool) -> Result<Var, String> {
    let count = groups.size as f64;
    let sum = add_up(call.tape, input, groups, keep, Kind::Float)?;
    scale(call, sum, 1.0 / count)
}

fn scale(call: &mut Call<'_>, input: Var, factor: f64) -> Result<Var, String> {
    call.tape
        .elementwise([input], Kind::Float, |[x]| x * factor, move |_| [factor])
}

fn variance(call: &mut Call<'_>, root: bool) -> Result<Value, String> {
    let names = ["input|self", "dim", "unbiased", "keepdim", "correction"];
    let [input, dim, unbiased, keep, correction] = call.bind(names)?;
    let correction = match (given(correction), given(unbiased)) {
        (Some(correction), _) => correction.number()?,
        (None, Some(unbiased)) => f64::from(u8::from(unbiased.bool()?)),
        (None, None) => 1.0,
    };
    let (input, groups, keep) = over(call, input, dim.clone(), keep)?;
    let count = groups.size as f64;
    let center = average(call, input, groups, true)?;
    let squares = call.tape.elementwise(
        [input, center],
        Kind::Float,
        |[x, m]| (x - m) * (x - m),
        |[x, m]| [2.0 * (x - m), -2.0 * (x - m)],
    )?;
    let (squares, groups, _) = over(call, Some(Value::Tensor(squares)), dim, None)?;
    let sum = add_up(call.tape, squares, groups, keep, Kind::Float)?;
    let variance = scale(call, sum, 1.0 / (count - correction).max(0.0))?;
    if root {
        return call.map(variance, Kind::Float, f64::sqrt, |x| 0.5 / x.sqrt());
    }
    Ok(Value::Tensor(variance))
}

fn norm(call: &mut Call<'_>) -> Result<Value, String> {
    let [input, p, dim, keep] = call.bind(["input|self", "p", "dim", "keepdim"])?;
    let (input, groups, keep) = over(call, input, dim, keep)?;
    let p = number(p, 2.0)?;
    #[expect(clippy::float_cmp, reason = "1 and 2 are exact")]
    if p == 1.0 {
        let sign = |x: f64| if x == 0.0 { 0.0 } else { x.signum() };
        let Value::Tensor(sizes) = call.map(input, Kind::Float, f64::abs, sign)? else {
            return Err("gives no tensor".to_owned());
        };
        return Ok(Value::Tensor(add_up(
            call.tape,
            sizes,
            groups,
            keep,
            Kind::Float,
        )?));
    } else if p != 2.0 {
        return Err(format!("norm {p} is not offered; use 1 or 2"));
    }
    let squares = call
        .tape
        .elementwise([input], Kind::Float, |[x]| x * x, |[x]| [2.0 * x])?;
    let sum = add_up(call.tape, squares, groups, keep, Kind::Float)?;
    let slope = |x: f64| if x == 0.0 { 0.0 } else { 0.5 / x.sqrt() };
    call.map(sum, Kind::Float, f64::sqrt, slope)
}

/// `max()`, `max(dim)` and `max(other)`: three functions with one name.
fn extreme(call: &mut Call<'_>, largest: bool) -> Result<Value, String> {
    let is_pair = matches!(call.args.get(1), Some(Value::Tensor(_)));
    if is_pair || call.kwargs.contains_key("other") {
        let name = if largest { "maximum" } else { "minimum" };
        let function = super::arithmetic::of_tensors(name);
        return function.ok_or("is not offered")?(call);
    }
    if call.args.len() + call.kwargs.len() <= 1 {
        return shared_extreme(call, largest);
    }
    let [input, dim, keep] = call.bind(["input|self", "dim", "keepdim"])?;
    let dim = required(dim)?.int()?;
    let (input, groups, keep) = over(call, input, Some(Value::Int(dim)), keep)?;
    let cells = groups.extremes(&call.tape.array(input).data, largest)?;
    let places = places(call.tape.shape(input), &cells, dim)?;
    let shape = groups.result_shape(keep);
    let values = call.tape.gather(input, shape.clone(), cells)?;
    let places = call.tape.constant(Array::new(shape, places, Kind::Int))?;
    Ok(Value::List(vec![
        Value::Tensor(values),
        Value::Tensor(places),
    ]))
}

/// `argmax` and `argmin`.
fn places(shape: &[usize], cells: &[usize], dim: i64) -> Result<Vec<f64>, String> {
    let at = dimension(dim, shape.len())?;
    let stride = strides(shape).get(at).copied().unwrap_or(1);
    let size = shape.get(at).copied().unwrap_or(1);
    Ok(cells
        .iter()
        .map(|cell| (cell / stride % size) as f64)
        .collect())
}

/// `amax` and `amin`: equal extremes share the gradient.
#[expect(clippy::float_cmp, reason = "ties are exact")]
fn shared_extreme(call: &mut Call<'_>, largest: bool) -> Result<Value, String> {
    let [input, dim, keep] = call.bind(["input|self", "dim", "keepdim"])?;
    let (input, groups, keep) = over(call, input, dim, keep)?;
    let from = call.tape.array(input).clone();
    let cells = groups.extremes(&from.data, largest)?;
    let data: Vec<f64> = cells.iter().map(|&cell| from.data[cell]).collect();
    let array = Array::new(groups.result_shape(keep), data.clone(), from.kind);
    let result = call
        .tape
        .result(array, &[input], move |gradient, gradients| {
            let mut ties = vec![0.0; data.len()];
            for (x, &group) in from.data.iter().zip(&groups.of) {
                ties[group] += f64::from(u8::from(*x == data[group]));
            }
            gradients.add(input, |into| {
                for ((into, x), &group) in into.iter_mut().zip(from.data.iter()).zip(&groups.of) {
                    if *x == data[group] {
                        *into += gradient[group] / ties[group];
                    }
                }
            });
        })?;
    Ok(Value::Tensor(result))
}

fn place_of_extreme(call: &mut Call<'_>, largest: bool) -> Result<Value, String> {
    let [input, dim, keep] = call.bind(["input|self", "dim", "keepdim"])?;
    let dim = given(dim).map(|dim| dim.int()).transpose()?;
    let (input, groups, keep) = over(call, input, dim.map(Value::Int), keep)?;
    let cells = groups.extremes(&call.tape.array(input).data, largest)?;
    let places = match dim {
        Some(dim) => places(call.tape.shape(input), &cells, dim)?,
        None => cells.iter().map(|&cell| cell as f64).collect(),
    };
    let array = Array::new(groups.result_shape(keep), places, Kind::Int);
    Ok(Value::Tensor(call.tape.constant(array)?))
}

fn quantified(call: &mut Call<'_>, holds: fn(f64, f64) -> bool) -> Result<Value, String> {
    let [input, dim, keep] = call.bind(["input|self", "dim", "keepdim"])?;
    let (input, groups, keep) = over(call, input, dim, keep)?;
    let (shape, count) = (groups.result_shape(keep), groups.size as f64);
    let counts = counts(call, input, &groups);
    let data = counts
        .into_iter()
        .map(|sum| f64::from(u8::from(holds(sum, count))))
        .collect();
    let array = Array::new(shape, data, Kind::Bool);
    Ok(Value::Tensor(call.tape.constant(array)?))
}

/// Counts the cells of each group that are not 0.
fn counts(call: &mut Call<'_>, input: Var, groups: &Groups) -> Vec<f64> {
    let mut counts = vec![0.0; groups.count()];
    for (x, &group) in call.tape.array(input).data.iter().zip(&groups.of) {
        counts[group] += f64::from(u8::from(*x != 0.0));
    }
    counts
}

fn count_nonzero(call: &mut Call<'_>) -> Result<Value, String> {
    let [input, dim] = call.bind(["input|self", "dim"])?;
    let (input, groups, _) = over(call, input, dim, None)?;
    let counts = counts(call, input, &groups);
    let array = Array::new(groups.result_shape(false), counts, Kind::Int);
    Ok(Value::Tensor(call.tape.constant(array)?))
}

fn logsumexp(call: &mut Call<'_>) -> Result<Value, String> {
    let [input, dim, keep] = call.bind(["input|self", "dim", "keepdim"])?;
    let (input, groups, keep) = over(call, input, Some(required(dim)?), keep)?;
    Ok(Value::Tensor(log_sum_exp(call.tape, input, groups, keep)?))
}

fn log_sum_exp(tape: &mut Tape, input: Var, groups: Groups, keep: bool) -> Result<Var, String> {
    let from = tape.array(input).clone();
    let cells = groups.extremes(&from.data, true)?;
    let most: Vec<f64> = cells
        .iter()
        .map(|&cell| from.data[cell])
        .map(|most| if most.is_finite() { most } else { 0.0 })
        .collect();
    let mut data = vec![0.0; groups.count()];
    for (x, &group) in from.data.iter().zip(&groups.of) {
        data[group] += (x - most[group]).exp();
    }
    for (sum, most) in data.iter_mut().zip(&most) {
        *sum = sum.ln() + most;
    }
    let array = Array::new(groups.result_shape(keep), data.clone(), Kind::Float);
    tape.result(array, &[input], move |gradient, gradients| {
        gradients.add(input, |into| {
            for ((into, x), &group) in into.iter_mut().zip(from.data.iter()).zip(&groups.of) {
                *into += gradient[group] * (x - data[group]).exp();
            }
        });
    })
}

fn softmax(call: &mut Call<'_>, log: bool) -> Result<Value, String> {
    let names = ["input|self", "dim", "_stacklevel", "dtype"];
    let [input, dim, _, _] = call.bind(names)?;
    let (input, groups, _) = over(call, input, Some(required(dim)?), None)?;
    let norm = log_sum_exp(call.tape, input, groups, true)?;
    let logs = call.tape.elementwise(
        [input, norm],
        Kind::Float,
        |[x, norm]| x - norm,
        |_| [1.0, -1.0],
    )?;
    if log {
        return Ok(Value::Tensor(logs));
    }
    call.map(logs, Kind::Float, f64::exp, f64::exp)
}

fn cumsum(call: &mut Call<'_>) -> Result<Value, String> {
    let [input, dim, dtype] = call.bind(["input|self", "dim|axis", "dtype"])?;
    let (input, dim) = (call.tensor(input)?, required(dim)?.int()?);
    let from = call.tape.array(input).clone();
    let at = dimension(dim, from.shape.len())?;
    let kind = kind_or(dtype, from.kind.max(Kind::Int))?;
    let step = strides(&from.shape).get(at).copied().unwrap_or(1);
    let size = from.shape.get(at).copied().unwrap_or(1);
    let is_first = move |cell: usize| (cell / step).is_multiple_of(size);
    let mut data = from.data.to_vec();
    for cell in 0..data.len() {
        if !is_first(cell) {
            data[cell] += data[cell - step];
        }
    }
    let array = Array::new(from.shape, data, kind);
    let result = call
        .tape
        .result(array, &[input], move |gradient, gradients| {
            gradients.add(input, |into| {
                let mut rest = gradient.to_vec();
                for cell in (0..rest.len()).rev() {
                    if !is_first(cell) {
                        rest[cell - step] += rest[cell];
                    }
                    into[cell] += rest[cell];
                }
            });
        })?;
    Ok(Value::Tensor(result))
}
