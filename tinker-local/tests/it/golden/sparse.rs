//! Targets as sparse (CSR) tensors.

use tinker_types::{Datum, Elements, TensorData};

/// Layout of the cells with a weight.
pub(super) fn counting(datum: &Datum) -> Vec<bool> {
    let weights = datum.loss_fn_inputs["weights"].as_f32().unwrap();
    weights.iter().map(|weight| *weight != 0.0).collect()
}

/// The same datum with only those targets and weights whose weight is not 0.
pub(super) fn datum(dense: &Datum) -> Datum {
    let counts = counting(dense);
    let mut sparse = dense.clone();
    for name in ["target_tokens", "weights"] {
        let tensor = &dense.loss_fn_inputs[name];
        let &[rows, width] = tensor.shape().unwrap() else {
            panic!("{name} is no matrix");
        };
        let listed: Vec<usize> = (0..rows * width).filter(|at| counts[*at]).collect();
        let starts: Vec<i64> = (0..=rows)
            .map(|row| listed.iter().filter(|at| **at < row * width).count() as i64)
            .collect();
        let columns: Vec<i64> = listed.iter().map(|at| (at % width) as i64).collect();
        let elements = match tensor.elements() {
            Elements::Float32(x) => Elements::Float32(listed.iter().map(|at| x[*at]).collect()),
            Elements::Int64(x) => Elements::Int64(listed.iter().map(|at| x[*at]).collect()),
        };
        let tensor = TensorData::csr(elements, starts, columns, [rows, width]).unwrap();
        sparse.loss_fn_inputs.insert(name.into(), tensor);
    }
    sparse
}
