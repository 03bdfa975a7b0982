//! Conversations as tokens: tokenizers, chat templates, loss weights.
//!
//! A [`Renderer`] joins a [`Tokenizer`] and a [`Template`]. It makes a prompt to sample from, or an
//! example to learn from in which only the assistant's tokens count.
//!
//! ```
//! use tinker_client::chat::{Message, Renderer};
//!
//! let chat = Renderer::plain();
//! let prompt = chat.prompt(&[Message::user("Hi")])?;
//! assert_eq!(prompt.length()?, "User: Hi\nAssistant: ".len());
//!
//! let datum = chat.supervised(&[Message::user("Hi"), Message::assistant("Hello")])?;
//! let weights = datum.loss_fn_inputs["weights"].as_f32().unwrap_or_default();
//! assert_eq!(weights.iter().sum::<f32>(), 6.0); // five letters and the end of the turn
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
#[cfg(feature = "tokenizers")]
mod hugging_face;
mod jinja;
mod message;
mod piece;
mod plain;
mod renderer;
mod template;
mod tokenizer;

pub use error::ChatError;
pub use message::{Message, Role};
pub use renderer::Renderer;
pub use template::Template;
pub use tokenizer::Tokenizer;
