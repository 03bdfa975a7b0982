//! Reshaping, expanding, transposing.

use super::super::array::{Kind, each_cell, joint_shape, stretched, strides};
use super::super::call::{Call, Function, given, required};
use super::super::tape::{Tape, Var};
use super::super::value::{Value, dimension};

/// Operations that exist only as methods.
pub(super) fn method(name: &str) -> Option<Function> {
    Some(match name {
        "float" | "double" => |c| converted(c, Kind::Float),
        "long" | "int" => |c| converted(c, Kind::Int),
        "bool" => |c| converted(c, Kind::Bool),
        "to" | "type" => to,
        "type_as" => |c| {
            let [input, other] = c.bind(["self", "other"])?;
            let (input, other) = (c.tensor(input)?, c.tensor(other)?);
            let kind = c.tape.kind(other);
            convert(c, input, kind)
        },
        "clone" | "contiguous" | "cpu" => same,
        "size" => size,
        "dim" | "ndimension" => |c| {
            let input = c.only()?;
            Ok(Value::Int(c.tape.shape(input).len() as i64))
        },
        "expand_as" | "view_as" | "reshape_as" => as_other,
        "view" => reshape,
        "expand" => expand,
        _ => return None,
    })
}

pub(super) fn find(name: &str) -> Option<Function> {
    Some(match name {
        "detach" => |c| {
            let input = c.only()?;
            let array = c.tape.array(input).clone();
            Ok(Value::Tensor(c.tape.constant(array)?))
        },
        "clone" => same,
        "numel" => |c| {
            let input = c.only()?;
            Ok(Value::Int(c.tape.array(input).data.len() as i64))
        },
        "reshape" => reshape,
        "broadcast_to" => expand,
        "flatten" => flatten,
        "ravel" => |c| {
            let input = c.only()?;
            let cells = c.tape.array(input).data.len();
            Ok(Value::Tensor(c.tape.reshaped(input, vec![cells])?))
        },
        "squeeze" => squeeze,
        "unsqueeze" => unsqueeze,
        "t" => |c| {
            let input = c.only()?;
            transposed(c.tape, input)
        },
        "transpose" | "swapaxes" => |c| {
            let [input, a, b] = c.bind(["input|self", "dim0", "dim1"])?;
            let input = c.tensor(input)?;
            let rank = c.tape.shape(input).len();
            let a = dimension(required(a)?.int()?, rank)?;
            let b = dimension(required(b)?.int()?, rank)?;
            let mut order: Vec<usize> = (0..rank).collect();
            if rank > 0 {
                order.swap(a, b);
            }
            permuted(c.tape, input, &order)
        },
        "permute" => |c| {
            let (input, dims) = spread_ints(c, "dims")?;
            let rank = c.tape.shape(input).len();
            let order = dims
                .iter()
                .map(|&dim| dimension(dim, rank))
                .collect::<Result<Vec<_>, _>>()?;
            permuted(c.tape, input, &order)
        },
        "flip" => |c| {
            let (input, dims) = spread_ints(c, "dims")?;
            flip(c, input, &dims)
        },
        _ => return None,
    })
}

pub(super) fn size_of(shape: &[usize]) -> Value {
    Value::List(shape.iter().map(|&n| Value::Int(n as i64)).collect())
}

fn same(call: &mut Call<'_>) -> Result<Value, String> {
    let [input, _] = call.bind(["input|self", "memory_format"])?;
    Ok(Value::Tensor(call.tensor(input)?))
}

fn size(call: &mut Call<'_>) -> Result<Value, String> {
    let [input, dim] = call.bind(["self", "dim"])?;
    let input = call.tensor(input)?;
    let shape = call.tape.shape(input);
    match given(dim) {
        None => Ok(size_of(shape)),
        Some(dim) => {
            let at = dimension(dim.int()?, shape.len())?;
            let size = shape.get(at).ok_or("asks for a size of a single number")?;
            Ok(Value::Int(*size as i64))
        }
    }
}

fn converted(call: &mut Call<'_>, kind: Kind) -> Result<Value, String> {
    let input = call.only()?;
    convert(call, input, kind)
}

fn convert(call: &mut Call<'_>, input: Var, kind: Kind) -> Result<Value, String> {
    match (call.tape.kind(input), kind) {
        (from, to) if from == to => Ok(Value::Tensor(input)),
        (_, Kind::Float) => call.map(input, kind, |x| x, |_| 1.0),
        (_, Kind::Int) => call.map(input, kind, f64::trunc, |_| 0.0),
        (_, Kind::Bool) => {
            let truth = |x: f64| f64::from(u8::from(x != 0.0));
            call.map(input, kind, truth, |_| 0.0)
        }
    }
}

fn to(call: &mut Call<'_>) -> Result<Value, String> {
    let names = [
        "self",
        "dtype|device|other",
        "dtype",
        "non_blocking",
        "copy",
    ];
    let [input, first, second, _, _] = call.bind(names)?;
    let input = call.tensor(input)?;
    for given in [first, second].into_iter().flatten() {
        match given {
            Value::Type(kind) => return convert(call, input, kind),
            Value::Tensor(other) => {
                let kind = call.tape.kind(other);
                return convert(call, input, kind);
            }
            Value::Place | Value::Text(_) | Value::None => {}
            other => return Err(format!("takes a dtype, not {}", other.what())),
        }
    }
    Ok(Value::Tensor(input))
}

/// Binds a tensor and integers, which may be given one by one or as a list.
fn spread_ints(call: &mut Call<'_>, name: &str) -> Result<(Var, Vec<i64>), String> {
    let mut args = std::mem::take(&mut call.args).into_iter();
    let mut kwargs = std::mem::take(&mut call.kwargs);
    let input = args.next().or_else(|| kwargs.remove("input"));
    let rest: Vec<Value> = args.collect();
    let list = match (
        &rest[..],
        kwargs.remove(name).or_else(|| kwargs.remove("shape")),
    ) {
        ([], Some(list)) => list.ints()?,
        ([list @ Value::List(_)], None) => list.ints()?,
        (_, None) => Value::List(rest).ints()?,
        (_, Some(_)) => return Err(format!("takes {name} once")),
    };
    Ok((call.tensor(input)?, list))
}

fn reshape(call: &mut Call<'_>) -> Result<Value, String> {
    let (input, wanted) = spread_ints(call, "size")?;
    let cells = call.tape.array(input).data.len();
    let known = wanted.iter().filter(|&&n| n != -1);
    let known = known
        .map(|&n| usize::try_from(n))
        .try_fold(1_usize, |product, n| product.checked_mul(n.ok()?));
    let open = wanted.iter().filter(|&&n| n == -1).count();
    let shape = known.and_then(|known| {
        let rest = match open {
            0 if known == cells => 1,
            1 if known > 0 && cells.is_multiple_of(known) => cells / known,
            _ => return None,
        };
        let dimension = |&n: &i64| if n == -1 { rest } else { n as usize };
        Some(wanted.iter().map(dimension).collect())
    });
    let shape = shape.ok_or_else(|| {
        let from = call.tape.shape(input);
        format!("shape {from:?} can't become {wanted:?}")
    })?;
    Ok(Value::Tensor(call.tape.reshaped(input, shape)?))
}

fn expand(call: &mut Call<'_>) -> Result<Value, String> {
    let (input, wanted) = spread_ints(call, "size")?;
    let from = call.tape.shape(input);
    let lead = wanted
        .len()
        .checked_sub(from.len())
        .ok_or("is expanded to fewer dimensions")?;
    let dimension = |(at, &n): (usize, &i64)| match usize::try_from(n) {
        Ok(n) => Ok(n),
        Err(_) if n == -1 && at >= lead => Ok(from[at - lead]),
        Err(_) => Err(format!("can't be expanded to {wanted:?}")),
    };
    let shape = wanted
        .iter()
        .enumerate()
        .map(dimension)
        .collect::<Result<Vec<_>, _>>()?;
    stretch(call, input, shape)
}

fn stretch(call: &mut Call<'_>, input: Var, shape: Vec<usize>) -> Result<Value, String> {
    let from = call.tape.shape(input);
    if joint_shape(from, &shape).as_ref() != Some(&shape) {
        return Err(format!("shape {from:?} can't be expanded to {shape:?}"));
    }
    call.tape.check_room(&shape)?;
    match stretched(from, &shape) {
        None => Ok(Value::Tensor(input)),
        Some(map) => Ok(Value::Tensor(call.tape.gather(input, shape, map)?)),
    }
}

fn as_other(call: &mut Call<'_>) -> Result<Value, String> {
    let [input, other] = call.bind(["self", "other"])?;
    let (input, other) = (call.tensor(input)?, call.tensor(other)?);
    let shape = call.tape.shape(other).to_vec();
    let cells: usize = shape.iter().product();
    if cells == call.tape.array(input).data.len() {
        return Ok(Value::Tensor(call.tape.reshaped(input, shape)?));
    }
    stretch(call, input, shape)
}

fn flatten(call: &mut Call<'_>) -> Result<Value, String> {
    let [input, start, end] = call.bind(["input|self", "start_dim", "end_dim"])?;
    let input = call.tensor(input)?;
    let shape = call.tape.shape(input).to_vec();
    if shape.is_empty() {
        return Ok(Value::Tensor(call.tape.reshaped(input, vec![1])?));
    }
    let place = |value: Option<Value>, default| {
        let dim = given(value).map_or(Ok(default), |value| value.int())?;
        dimension(dim, shape.len())
    };
    let (start, end) = (place(start, 0)?, place(end, -1)?);
    if start > end {
        return Err("ends before it starts".to_owned());
    }
    let mut flat = shape[..start].to_vec();
    flat.push(shape[start..=end].iter().product());
    flat.extend(&shape[end + 1..]);
    Ok(Value::Tensor(call.tape.reshaped(input, flat)?))
}

fn squeeze(call: &mut Call<'_>) -> Result<Value, String> {
    let [input, dim] = call.bind(["input|self", "dim"])?;
    let input = call.tensor(input)?;
    let shape = call.tape.shape(input).to_vec();
    let goes = match given(dim) {
        None => (0..shape.len()).collect(),
        Some(dims) => dims
            .ints()?
            .iter()
            .map(|&dim| dimension(dim, shape.len()))
            .collect::<Result<Vec<_>, _>>()?,
    };
    let stays = |&(at, &n): &(usize, &usize)| n != 1 || !goes.contains(&at);
    let shape = shape.iter().enumerate().filter(stays).map(|(_, &n)| n);
    let shape = shape.collect();
    Ok(Value::Tensor(call.tape.reshaped(input, shape)?))
}

fn unsqueeze(call: &mut Call<'_>) -> Result<Value, String> {
    let [input, dim] = call.bind(["input|self", "dim"])?;
    let input = call.tensor(input)?;
    let mut shape = call.tape.shape(input).to_vec();
    let at = dimension(required(dim)?.int()?, shape.len() + 1)?;
    shape.insert(at, 1);
    Ok(Value::Tensor(call.tape.reshaped(input, shape)?))
}

/// Transposes a matrix; a vector stays as it is.
pub(super) fn transposed(tape: &mut Tape, input: Var) -> Result<Value, String> {
    match tape.shape(input).len() {
        0 | 1 => Ok(Value::Tensor(input)),
        2 => permuted(tape, input, &[1, 0]),
        rank => Err(format!(
            "transposes a tensor with {rank} dimensions; use permute"
        )),
    }
}

fn permuted(tape: &mut Tape, input: Var, order: &[usize]) -> Result<Value, String> {
    let from = tape.shape(input).to_vec();
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    if sorted != (0..from.len()).collect::<Vec<_>>() {
        return Err(format!(
            "{order:?} is not an order of {} dimensions",
            from.len()
        ));
    }
    let shape: Vec<usize> = order.iter().map(|&at| from[at]).collect();
    let strides = strides(&from);
    let mut map = Vec::with_capacity(from.iter().product());
    each_cell(&shape, |index| {
        map.push(
            order
                .iter()
                .zip(index)
                .map(|(&at, i)| i * strides[at])
                .sum(),
        );
    });
    Ok(Value::Tensor(tape.gather(input, shape, map)?))
}

fn flip(call: &mut Call<'_>, input: Var, dims: &[i64]) -> Result<Value, String> {
    let shape = call.tape.shape(input).to_vec();
    let flipped = dims
        .iter()
        .map(|&dim| dimension(dim, shape.len()))
        .collect::<Result<Vec<_>, _>>()?;
    let strides = strides(&shape);
    let mut map = Vec::with_capacity(shape.iter().product());
    each_cell(&shape, |index| {
        let cell = index.iter().enumerate().map(|(at, &i)| {
            let place = if flipped.contains(&at) {
                shape[at] - 1 - i
            } else {
                i
            };
            place * strides[at]
        });
        map.push(cell.sum());
    });
    Ok(Value::Tensor(call.tape.gather(input, shape, map)?))
}
