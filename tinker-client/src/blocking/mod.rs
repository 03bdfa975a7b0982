//! Clients for programs without an async runtime.
//!
//! Each method waits for its result. The clients own a runtime with one thread, which also keeps the session alive
//! between calls. Two calls of one client run one after another; to have several in flight, use threads, clones of the
//! clients, or [`block_on`](ServiceClient::block_on) with the async clients.
//!
//! ```
//! use tinker_client::blocking::ServiceClient;
//! use tinker_client::{AdamParams, Datum, LoraConfig, Loss, SamplingParams};
//! use tinker_local::LocalEngine;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = LocalEngine::builtin()?;
//! let builder = tinker_client::ServiceClient::builder().leaf(engine.service());
//! let service = ServiceClient::build(builder)?;
//! let training = service.create_lora_training_client("tinker-local/tiny", LoraConfig::new(8))?;
//! let data = vec![Datum::supervised(&[104, 105], &[33, 256])];
//! for _ in 0..20 {
//!     training.train_step(data.clone(), Loss::cross_entropy(), AdamParams::new(5e-3))?;
//! }
//! let sampler = training.save_weights_and_get_sampling_client()?;
//! let greedy = SamplingParams::default().with_temperature(0.0).with_max_tokens(4);
//! assert_eq!(sampler.sample([104, 105], greedy)?.sequences[0].tokens, [33, 256]);
//! # Ok(())
//! # }
//! ```
//!
//! # Panics
//! Every method panics in an async context, where a thread must not block.

mod runtime;
mod sampling;
mod service;
mod training;

pub use sampling::SamplingClient;
pub use service::ServiceClient;
pub use training::TrainingClient;
