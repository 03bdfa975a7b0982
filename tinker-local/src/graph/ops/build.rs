//! Constant tensors.

use super::super::array::{Array, Kind};
use super::super::call::{Call, Function, given, required};
use super::super::value::Value;
use crate::graph::call::kind_or;

pub(super) fn find(name: &str) -> Option<Function> {
    Some(match name {
        "zeros_like" => |c| like(c, 0.0),
        "ones_like" => |c| like(c, 1.0),
        "full_like" => full_like,
        "zeros" => |c| filled(c, 0.0),
        "ones" => |c| filled(c, 1.0),
        "full" => full,
        "arange" => arange,
        "tensor" | "scalar_tensor" | "as_tensor" => tensor,
        _ => return None,
    })
}

/// Accepts and ignores the arguments for device and memory layout.
fn drop_places(call: &mut Call<'_>) {
    for name in [
        "device",
        "layout",
        "memory_format",
        "requires_grad",
        "pin_memory",
    ] {
        call.kwargs.remove(name);
    }
}

fn put(call: &mut Call<'_>, shape: Vec<usize>, value: f64, kind: Kind) -> Result<Value, String> {
    call.tape.check_room(&shape)?;
    let cells = shape.iter().product();
    let array = Array::new(shape, vec![value; cells], kind);
    Ok(Value::Tensor(call.tape.constant(array)?))
}

fn like(call: &mut Call<'_>, value: f64) -> Result<Value, String> {
    drop_places(call);
    let [input, dtype] = call.bind(["input|self", "dtype"])?;
    let input = call.tensor(input)?;
    let (shape, kind) = (call.tape.shape(input).to_vec(), call.tape.kind(input));
    put(call, shape, value, kind_or(dtype, kind)?)
}

fn full_like(call: &mut Call<'_>) -> Result<Value, String> {
    drop_places(call);
    let [input, value, dtype] = call.bind(["input|self", "fill_value", "dtype"])?;
    let (input, value) = (call.tensor(input)?, required(value)?.number()?);
    let (shape, kind) = (call.tape.shape(input).to_vec(), call.tape.kind(input));
    put(call, shape, value, kind_or(dtype, kind)?)
}

fn shape(sizes: &[i64]) -> Result<Vec<usize>, String> {
    let size = |&n: &i64| usize::try_from(n).map_err(|_| format!("has size {n}"));
    sizes.iter().map(size).collect()
}

fn filled(call: &mut Call<'_>, value: f64) -> Result<Value, String> {
    drop_places(call);
    let dtype = call.kwargs.remove("dtype");
    let sizes = match (&call.args[..], call.kwargs.remove("size")) {
        ([], Some(size)) => size.ints()?,
        ([list @ Value::List(_)], None) => list.ints()?,
        (args, None) => Value::List(args.to_vec()).ints()?,
        (_, Some(_)) => return Err("takes a size once".to_owned()),
    };
    put(call, shape(&sizes)?, value, kind_or(dtype, Kind::Float)?)
}

fn full(call: &mut Call<'_>) -> Result<Value, String> {
    drop_places(call);
    let [size, value, dtype] = call.bind(["size", "fill_value", "dtype"])?;
    let value = required(value)?;
    let kind = match value {
        Value::Int(_) => Kind::Int,
        Value::Bool(_) => Kind::Bool,
        _ => Kind::Float,
    };
    let shape = shape(&required(size)?.ints()?)?;
    put(call, shape, value.number()?, kind_or(dtype, kind)?)
}

fn arange(call: &mut Call<'_>) -> Result<Value, String> {
    drop_places(call);
    let dtype = call.kwargs.remove("dtype");
    let [first, second, step] = call.bind(["start", "end", "step"])?;
    let (start, end) = match (given(first), given(second)) {
        (Some(start), Some(end)) => (start, end),
        (Some(end), None) | (None, Some(end)) => (Value::Int(0), end),
        (None, None) => return Err("lacks an argument".to_owned()),
    };
    let step = given(step).unwrap_or(Value::Int(1));
    let all = [&start, &end, &step];
    let is_whole = all.iter().all(|value| matches!(value, Value::Int(_)));
    let [start, end, step] = [start.number()?, end.number()?, step.number()?];
    let count = ((end - start) / step).ceil();
    if !(0.0..1e9).contains(&count) {
        return Err(format!("has no numbers from {start} to {end} by {step}"));
    }
    let shape = vec![count as usize];
    call.tape.check_room(&shape)?;
    let data = (0..shape[0]).map(|at| start + at as f64 * step).collect();
    let kind = if is_whole { Kind::Int } else { Kind::Float };
    let array = Array::new(shape, data, kind_or(dtype, kind)?);
    Ok(Value::Tensor(call.tape.constant(array)?))
}

/// `tensor(data)`: a single number or a list of numbers.
fn tensor(call: &mut Call<'_>) -> Result<Value, String> {
    drop_places(call);
    let [data, dtype] = call.bind(["data|s", "dtype"])?;
    let kind = |value: &Value| match value {
        Value::Int(_) => Kind::Int,
        Value::Bool(_) => Kind::Bool,
        _ => Kind::Float,
    };
    match required(data)? {
        Value::Tensor(input) => Ok(Value::Tensor(input)),
        Value::List(values) => {
            let numbers = values.iter().map(Value::number);
            let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
            let widest = values.iter().map(kind).max().unwrap_or(Kind::Float);
            let array = Array::new(vec![numbers.len()], numbers, kind_or(dtype, widest)?);
            Ok(Value::Tensor(call.tape.constant(array)?))
        }
        value => {
            let array = Array::scalar(value.number()?, kind_or(dtype, kind(&value))?);
            Ok(Value::Tensor(call.tape.constant(array)?))
        }
    }
}
