//! Indexing, slicing and gathering.

use super::super::array::{Kind, each_cell, strides};
use super::super::call::{Call, Function, required};
use super::super::tape::{Tape, Var};
use super::super::value::{Value, dimension};

pub(super) fn find(name: &str) -> Option<Function> {
    Some(match name {
        "gather" => gather,
        "take_along_dim" => |c| {
            let [input, places, dim] = c.bind(["input|self", "indices", "dim"])?;
            c.args = vec![required(input)?, required(dim)?, required(places)?];
            gather(c)
        },
        "index_select" => |c| {
            let [input, dim, places] = c.bind(["input|self", "dim", "index"])?;
            let (input, places) = (c.tensor(input)?, c.tensor(places)?);
            let at = dimension(required(dim)?.int()?, c.tape.shape(input).len())?;
            picked(c.tape, input, at, places)
        },
        "masked_select" => |c| {
            let [input, mask] = c.bind(["input|self", "mask"])?;
            let (input, mask) = (c.tensor(input)?, c.tensor(mask)?);
            picked(c.tape, input, 0, mask)
        },
        "select" => |c| {
            let [input, dim, place] = c.bind(["input|self", "dim", "index"])?;
            let input = c.tensor(input)?;
            let at = dimension(required(dim)?.int()?, c.tape.shape(input).len())?;
            one(c.tape, input, at, required(place)?.int()?)
        },
        "narrow" => |c| {
            let [input, dim, start, length] = c.bind(["input|self", "dim", "start", "length"])?;
            let input = c.tensor(input)?;
            let at = dimension(required(dim)?.int()?, c.tape.shape(input).len())?;
            let size = c.tape.shape(input).get(at).copied().unwrap_or(0);
            let start = dimension(required(start)?.int()?, size + 1)?;
            let length = usize::try_from(required(length)?.int()?).map_err(|e| e.to_string())?;
            if start + length > size {
                return Err(format!("takes {length} from {start} on of {size}"));
            }
            steps(
                c.tape,
                input,
                at,
                &(start..start + length).collect::<Vec<_>>(),
            )
        },
        "diff" => |c| {
            let input = c.only()?;
            let rank = c.tape.shape(input).len();
            let at = dimension(-1, rank)?;
            let size = c.tape.shape(input).get(at).copied().unwrap_or(0);
            let later = steps(c.tape, input, at, &(1..size.max(1)).collect::<Vec<_>>())?;
            let earlier = steps(
                c.tape,
                input,
                at,
                &(0..size.saturating_sub(1)).collect::<Vec<_>>(),
            )?;
            c.args = vec![later, earlier];
            super::arithmetic::of_tensors("sub").ok_or("is not offered")?(c)
        },
        _ => return None,
    })
}

/// `object[index]`
pub(super) fn getitem(call: &mut Call<'_>) -> Result<Value, String> {
    let [object, index] = call.bind(["object", "index"])?;
    let (object, index) = (required(object)?, required(index)?);
    match object {
        Value::Tensor(input) => of_tensor(call.tape, input, index),
        Value::List(values) => of_list(values, &index),
        Value::Dict(mut values) => match &index {
            Value::Text(name) => values
                .remove(name)
                .ok_or_else(|| format!("has no entry {name:?}")),
            other => Err(format!("takes an entry by {}", other.what())),
        },
        other => Err(format!("takes a part of {}", other.what())),
    }
}

fn of_list(mut values: Vec<Value>, index: &Value) -> Result<Value, String> {
    if let Value::Slice(bounds) = index {
        let places = slice(bounds, values.len())?;
        return Ok(Value::List(
            places.into_iter().map(|at| values[at].clone()).collect(),
        ));
    }
    let at = place(index.int()?, values.len())?;
    Ok(values.swap_remove(at))
}

fn place(index: i64, size: usize) -> Result<usize, String> {
    let at = if index < 0 {
        index + size as i64
    } else {
        index
    };
    usize::try_from(at)
        .ok()
        .filter(|at| *at < size)
        .ok_or_else(|| format!("index {index} is outside of {size}"))
}

/// The positions of a slice.
fn slice(bounds: &[Value; 3], size: usize) -> Result<Vec<usize>, String> {
    let bound = |value: &Value, default: i64| match value {
        Value::None => Ok(default),
        value => value.int(),
    };
    let size = size as i64;
    let step = bound(&bounds[2], 1)?;
    if step <= 0 {
        return Err(format!("slices with step {step}; it is 1 or more"));
    }
    let clip = |n: i64| if n < 0 { n + size } else { n }.clamp(0, size);
    let (start, stop) = (clip(bound(&bounds[0], 0)?), clip(bound(&bounds[1], size)?));
    let step = usize::try_from(step).map_err(|e| e.to_string())?;
    Ok((start as usize..stop as usize).step_by(step).collect())
}

/// Applies indices, one for each dimension, from the first.
fn of_tensor(tape: &mut Tape, input: Var, index: Value) -> Result<Value, String> {
    let mut indices = match index {
        Value::List(indices)
            if !indices.iter().all(|i| matches!(i, Value::Int(_)))
                || indices.len() <= tape.shape(input).len() =>
        {
            indices
        }
        other => vec![other],
    };
    // Dimensions an index consumes: a mask consumes as many as it has.
    let uses = |tape: &Tape, index: &Value| match index {
        Value::None | Value::Ellipsis | Value::Bool(_) => 0,
        Value::Tensor(mask) if tape.kind(*mask) == Kind::Bool => tape.shape(*mask).len(),
        _ => 1,
    };
    let used: usize = indices.iter().map(|index| uses(tape, index)).sum();
    let rank = tape.shape(input).len();
    let rest = rank
        .checked_sub(used)
        .ok_or_else(|| format!("takes {used} indices of {rank} dimensions"))?;
    if let Some(at) = indices.iter().position(|i| matches!(i, Value::Ellipsis)) {
        let all = Value::Slice(Box::new([Value::None, Value::None, Value::None]));
        indices.splice(at..=at, std::iter::repeat_n(all, rest));
    }
    if indices
        .iter()
        .filter(|i| matches!(i, Value::Tensor(_)))
        .count()
        > 1
    {
        return Err(
            "takes several tensors as indices, which is not offered; use gather".to_owned(),
        );
    }
    let (mut current, mut at) = (input, 0);
    for index in indices {
        let next = match index {
            Value::None => {
                let mut shape = tape.shape(current).to_vec();
                shape.insert(at, 1);
                at += 1;
                Value::Tensor(tape.reshaped(current, shape)?)
            }
            Value::Int(place) => one(tape, current, at, place)?,
            Value::Slice(bounds) => {
                let places = slice(&bounds, tape.shape(current)[at])?;
                at += 1;
                steps(tape, current, at - 1, &places)?
            }
            Value::Tensor(places) => {
                let grown = match tape.kind(places) {
                    Kind::Bool => 1,
                    _ => tape.shape(places).len(),
                };
                let picked = picked(tape, current, at, places)?;
                at += grown;
                picked
            }
            Value::List(places) => {
                let places = places.iter().map(|place| {
                    let size = tape.shape(current)[at];
                    self::place(place.int()?, size)
                });
                let places = places.collect::<Result<Vec<_>, _>>()?;
                at += 1;
                steps(tape, current, at - 1, &places)?
            }
            other => return Err(format!("takes {} as an index", other.what())),
        };
        let Value::Tensor(next) = next else {
            return Err("gives no tensor".to_owned());
        };
        current = next;
    }
    Ok(Value::Tensor(current))
}

/// Selects positions along a dimension and keeps the dimension.
fn steps(tape: &mut Tape, input: Var, at: usize, places: &[usize]) -> Result<Value, String> {
    let mut shape = tape.shape(input).to_vec();
    let Some(size) = shape.get_mut(at) else {
        return Err("takes a part of a single number".to_owned());
    };
    *size = places.len();
    tape.check_room(&shape)?;
    let strides = strides(tape.shape(input));
    let mut map = Vec::with_capacity(shape.iter().product());
    each_cell(&shape, |index| {
        let cell = index.iter().enumerate().map(|(dim, &i)| {
            let place = if dim == at { places[i] } else { i };
            place * strides[dim]
        });
        map.push(cell.sum());
    });
    Ok(Value::Tensor(tape.gather(input, shape, map)?))
}

/// Selects one position along a dimension and removes the dimension.
fn one(tape: &mut Tape, input: Var, at: usize, index: i64) -> Result<Value, String> {
    let Some(&size) = tape.shape(input).get(at) else {
        return Err("takes a part of a single number".to_owned());
    };
    let Value::Tensor(part) = steps(tape, input, at, &[place(index, size)?])? else {
        return Err("gives no tensor".to_owned());
    };
    let mut shape = tape.shape(part).to_vec();
    shape.remove(at);
    Ok(Value::Tensor(tape.reshaped(part, shape)?))
}

/// Selects by a tensor of positions along a dimension, or by a mask over the dimensions from there.
fn picked(tape: &mut Tape, input: Var, at: usize, places: Var) -> Result<Value, String> {
    let index = tape.array(places).clone();
    let shape = tape.shape(input).to_vec();
    if index.kind == Kind::Bool {
        let end = at + index.shape.len();
        if shape.get(at..end) != Some(&index.shape[..]) {
            return Err(format!(
                "shape {shape:?} has no mask of shape {:?}",
                index.shape
            ));
        }
        let mut flat = shape[..at].to_vec();
        flat.push(shape[at..end].iter().product());
        flat.extend(&shape[end..]);
        let flat = tape.reshaped(input, flat)?;
        let holds = (0..index.data.len()).filter(|&cell| index.data[cell] != 0.0);
        return steps(tape, flat, at, &holds.collect::<Vec<_>>());
    }
    if index.kind == Kind::Float {
        return Err("takes floats as indices; call .long() first".to_owned());
    }
    let size = shape.get(at).copied().unwrap_or(0);
    let places = index
        .data
        .iter()
        .map(|&i| place(i as i64, size))
        .collect::<Result<Vec<_>, _>>()?;
    let Value::Tensor(part) = steps(tape, input, at, &places)? else {
        return Err("gives no tensor".to_owned());
    };
    let mut whole = shape[..at].to_vec();
    whole.extend(&index.shape);
    whole.extend(&shape[at + 1..]);
    Ok(Value::Tensor(tape.reshaped(part, whole)?))
}

/// `output[i][j] = input[i][index[i][j]]` for the last dimension, and so on.
fn gather(call: &mut Call<'_>) -> Result<Value, String> {
    let [input, dim, index] = call.bind(["input|self", "dim", "index"])?;
    let (input, index) = (call.tensor(input)?, call.tensor(index)?);
    let (from, index) = (
        call.tape.shape(input).to_vec(),
        call.tape.array(index).clone(),
    );
    let at = dimension(required(dim)?.int()?, from.len())?;
    if from.is_empty() {
        return Err("gathers from a single number".to_owned());
    }
    let fits = |(i, (&n, &m)): (usize, (&usize, &usize))| i == at || n <= m;
    if index.kind == Kind::Float
        || index.shape.len() != from.len()
        || !index.shape.iter().zip(&from).enumerate().all(fits)
    {
        return Err(format!(
            "takes whole numbers whose shape fits {from:?}, not {:?}",
            index.shape
        ));
    }
    let strides = strides(&from);
    let mut map = Vec::with_capacity(index.data.len());
    let mut outside = None;
    each_cell(&index.shape, |cell| {
        let place = index.data[map.len()];
        if !(0.0..from[at] as f64).contains(&place) {
            outside = Some(place);
        }
        let place = (place.max(0.0) as usize).min(from[at].saturating_sub(1));
        let cell = cell.iter().enumerate().map(|(dim, &i)| {
            let i = if dim == at { place } else { i };
            i * strides[dim]
        });
        map.push(cell.sum());
    });
    if let Some(place) = outside {
        return Err(format!("index {place} is outside of {}", from[at]));
    }
    Ok(Value::Tensor(call.tape.gather(input, index.shape, map)?))
}
