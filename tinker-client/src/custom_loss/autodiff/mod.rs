//! Automatic differentiation of losses over log probabilities.
//!
//! A [`Var`] is an array of numbers that records how it was computed. [`differentiate`] turns a function of `Var`s into
//! a custom loss for [`forward_backward_custom`](crate::TrainingClient::forward_backward_custom): the function receives
//! the log probabilities of each datum, `[T]`, and returns the loss, one number.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tinker_client::autodiff::{Var, differentiate};
//! use tinker_client::{Datum, InvalidValue, LoraConfig, ServiceClient};
//! # let engine = tinker_local::LocalEngine::builtin()?;
//! # let service = ServiceClient::builder().leaf(engine.service()).build()?;
//! # let training = service.create_lora_training_client("tinker-local/tiny", LoraConfig::new(4)).await?;
//!
//! // Prefer the first datum to the second, as in direct preference optimization.
//! let preference = |_: &[Datum], logprobs: &[Var]| {
//!     let margin = logprobs[0].sum() - logprobs[1].sum();
//!     Ok::<_, InvalidValue>((1.0 + (-0.1 * margin).exp()).log())
//! };
//! let data = vec![Datum::supervised(&[104], &[105]), Datum::supervised(&[104], &[111])];
//! let output = training.forward_backward_custom(data, differentiate(preference)).await?;
//! assert!(output.loss_sum().is_some_and(|loss| loss > 0.0));
//! # Ok(())
//! # }
//! ```

mod arithmetic;
mod derivatives;
pub(crate) mod expr;
mod node;
pub(crate) mod objective;
mod regularize;
pub(crate) mod var;

pub use expr::Expr;
pub use objective::{Objective, differentiate};
pub use regularize::{Regularizer, regularize};
pub use var::Var;

#[cfg(test)]
mod tests;
