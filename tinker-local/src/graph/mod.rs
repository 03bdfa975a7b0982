//! Uploaded losses: a graph of tensor operations for one datum, evaluated and differentiated with respect to the log
//! probabilities.
//!
//! A graph is data, never code: each node names an operation of a fixed list, and a graph that names another one is
//! refused when it is uploaded. Numbers are 64-bit floats, whatever the graph's types are called; PyTorch computes the
//! same in 32 bits, so that the last digits differ. Gradients follow PyTorch's conventions where a function has a
//! corner: equal maxima share the gradient, and a clamp passes it at its bounds.
//!
//! ```text
//! JSON  --parse-->  Program (nodes in order, operations looked up)
//!       --run, once for each datum-->  Tape (arrays with their backward functions)  -->  loss, metrics, gradient
//! ```

mod arg;
mod array;
mod call;
mod loss;
mod ops;
mod parse;
mod run;
mod tape;
mod value;

pub(crate) use loss::CustomLoss;

#[cfg(test)]
mod tests;
