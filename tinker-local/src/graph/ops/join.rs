//! Concatenation and stacking.

use super::super::array::{Array, Kind};
use super::super::call::{Call, Function, given, required};
use super::super::tape::Var;
use super::super::value::{Value, dimension};

pub(super) fn find(name: &str) -> Option<Function> {
    Some(match name {
        "stack" => stack,
        "cat" | "concat" | "concatenate" => cat,
        _ => return None,
    })
}

fn tensors(call: &mut Call<'_>) -> Result<(Vec<Var>, i64), String> {
    let [inputs, dim] = call.bind(["tensors", "dim|axis"])?;
    let inputs = required(inputs)?;
    let inputs = inputs.list()?.iter().map(|input| input.tensor(call.tape));
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    if inputs.is_empty() {
        return Err("joins no tensors".to_owned());
    }
    Ok((inputs, given(dim).map_or(Ok(0), |dim| dim.int())?))
}

fn stack(call: &mut Call<'_>) -> Result<Value, String> {
    let (mut inputs, dim) = tensors(call)?;
    let rank = call.tape.shape(inputs[0]).len();
    let at = dimension(dim, rank + 1)?;
    for input in &mut inputs {
        let mut shape = call.tape.shape(*input).to_vec();
        if shape.len() != rank {
            return Err("stacks tensors of different shapes".to_owned());
        }
        shape.insert(at, 1);
        *input = call.tape.reshaped(*input, shape)?;
    }
    join(call, &inputs, at)
}

fn cat(call: &mut Call<'_>) -> Result<Value, String> {
    let (inputs, dim) = tensors(call)?;
    let rank = call.tape.shape(inputs[0]).len();
    if rank == 0 {
        return Err("joins single numbers; stack them".to_owned());
    }
    let at = dimension(dim, rank)?;
    join(call, &inputs, at)
}

/// Concatenates tensors along a dimension.
fn join(call: &mut Call<'_>, inputs: &[Var], at: usize) -> Result<Value, String> {
    let mut shape = call.tape.shape(inputs[0]).to_vec();
    let mut kind = Kind::Bool;
    let mut size = 0;
    for &input in inputs {
        let next = call.tape.shape(input);
        let fits = |(i, n): (usize, &usize)| i == at || next.get(i) == Some(n);
        if next.len() != shape.len() || !shape.iter().enumerate().all(fits) {
            return Err(format!(
                "joins shapes {shape:?} and {next:?}, which do not fit"
            ));
        }
        size += next[at];
        kind = kind.max(call.tape.kind(input));
    }
    shape[at] = size;
    call.tape.check_room(&shape)?;
    // For each index of the dimensions before `dim`, the cells of one tensor are contiguous.
    let inner: usize = shape[at + 1..].iter().product();
    let outer: usize = shape[..at].iter().product();
    let widths: Vec<usize> = inputs
        .iter()
        .map(|&input| call.tape.shape(input)[at] * inner)
        .collect();
    let mut data = Vec::with_capacity(shape.iter().product());
    for step in 0..outer {
        for (&input, &width) in inputs.iter().zip(&widths) {
            data.extend_from_slice(&call.tape.array(input).data[step * width..][..width]);
        }
    }
    let array = Array::new(shape, data, kind);
    let sources = inputs.to_vec();
    let result = call
        .tape
        .result(array, inputs, move |gradient, gradients| {
            let row: usize = widths.iter().sum();
            let mut start = 0;
            for (&input, &width) in sources.iter().zip(&widths) {
                gradients.add(input, |into| {
                    for step in 0..outer {
                        let from = &gradient[step * row + start..][..width];
                        for (into, from) in into[step * width..][..width].iter_mut().zip(from) {
                            *into += from;
                        }
                    }
                });
                start += width;
            }
        })?;
    Ok(Value::Tensor(result))
}
