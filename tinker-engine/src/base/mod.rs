//! Built-in base model: a byte-level decoder of 0.8 million parameters, part of the library.

mod vocabulary;
#[cfg(feature = "base-model")]
mod weights;

pub use vocabulary::{ByteVocabulary, END};
#[cfg(feature = "base-model")]
pub use weights::WEIGHTS;

/// Name of the model, as users give it in `base_model`.
pub const NAME: &str = "tinker-local/tiny";

/// Name of its tokenizer: one token for each byte, and one that ends a text.
pub const TOKENIZER: &str = "tinker-local/bytes";
