//! Products of vectors and matrices.

use super::super::array::{Array, Kind};
use super::super::call::{Call, Function};
use super::super::value::Value;

pub(super) fn find(name: &str) -> Option<Function> {
    Some(match name {
        "matmul" | "mm" | "mv" | "dot" | "inner" => matmul,
        "outer" => outer,
        _ => return None,
    })
}

/// The product of two vectors, of a matrix and a vector, or of two matrices.
pub(super) fn matmul(call: &mut Call<'_>) -> Result<Value, String> {
    let [x, y] = call.bind(["input|self", "other|tensor|vec|mat2"])?;
    let inputs = [call.tensor(x)?, call.tensor(y)?];
    let [x, y] = inputs.map(|input| call.tape.array(input).clone());
    let (rows, inner, columns) = match (&x.shape[..], &y.shape[..]) {
        (&[n], &[m]) if n == m => (1, n, 1),
        (&[r, n], &[m]) if n == m => (r, n, 1),
        (&[n], &[m, c]) if n == m => (1, n, c),
        (&[r, n], &[m, c]) if n == m => (r, n, c),
        (a, b) => {
            return Err(format!(
                "multiplies shapes {a:?} and {b:?}, which do not fit"
            ));
        }
    };
    let mut shape = Vec::new();
    if x.shape.len() == 2 {
        shape.push(rows);
    }
    if y.shape.len() == 2 {
        shape.push(columns);
    }
    call.tape.check_room(&[rows, columns])?;
    call.tape.spend(rows * inner * columns)?;
    let mut data = vec![0.0; rows * columns];
    for row in 0..rows {
        for at in 0..inner {
            for column in 0..columns {
                data[row * columns + column] +=
                    x.data[row * inner + at] * y.data[at * columns + column];
            }
        }
    }
    let kind = x.kind.max(y.kind);
    let array = Array::new(shape, data, kind);
    let result = call
        .tape
        .result(array, &inputs, move |gradient, gradients| {
            let [to_x, to_y] = inputs;
            gradients.add(to_x, |into| {
                for row in 0..rows {
                    for at in 0..inner {
                        for column in 0..columns {
                            into[row * inner + at] +=
                                gradient[row * columns + column] * y.data[at * columns + column];
                        }
                    }
                }
            });
            gradients.add(to_y, |into| {
                for row in 0..rows {
                    for at in 0..inner {
                        for column in 0..columns {
                            into[at * columns + column] +=
                                gradient[row * columns + column] * x.data[row * inner + at];
                        }
                    }
                }
            });
        })?;
    Ok(Value::Tensor(result))
}

fn outer(call: &mut Call<'_>) -> Result<Value, String> {
    let [x, y] = call.bind(["input|self", "vec2"])?;
    let (x, y) = (call.tensor(x)?, call.tensor(y)?);
    let ([n], [_]) = (call.tape.shape(x), call.tape.shape(y)) else {
        return Err("takes two vectors".to_owned());
    };
    let column = vec![*n, 1];
    let x = call.tape.reshaped(x, column)?;
    let kind = call.tape.kind(x).max(call.tape.kind(y)).max(Kind::Int);
    let product = call
        .tape
        .elementwise([x, y], kind, |[x, y]| x * y, |[x, y]| [y, x])?;
    Ok(Value::Tensor(product))
}
