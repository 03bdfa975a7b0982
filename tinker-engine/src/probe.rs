//! Instruction set and product kernel, for programs that report or measure them.

use crate::kernels::{Level, Out, Packed, Rows, gemm};

/// The instruction set the engine uses on this processor: `AVX-512`, `AVX2` or `portable`.
pub fn instruction_set() -> &'static str {
    Level::detected().name()
}

/// A function that multiplies an `[m, k]` by a packed `[k, n]` matrix, for timing. One call is `2 m n k` operations. With
/// `half`, the packed matrix is stored in f16.
pub fn product(m: usize, n: usize, k: usize, half: bool) -> impl FnMut() {
    let a: Vec<f32> = (0..m * k).map(|i| (i % 7) as f32).collect();
    let b: Vec<f32> = (0..k * n).map(|i| (i % 5) as f32).collect();
    let mut packed = Packed::from_rows(&b, k, n, n);
    if half {
        packed.narrow();
    }
    let mut c = vec![0.0; m * n];
    move || {
        let (a, b) = (Rows::new(&a, k), packed.operand());
        gemm([m, n, k], a, b, Out::set(&mut c, n));
    }
}
