//! Training data: model inputs, tensors, examples and where their tokens came from.

mod advantages;
mod chunk;
mod datum;
mod input;
mod provenance;
mod tensor;

pub use advantages::{Advantages, group_advantages};
pub use chunk::{AssetPointer, Chunk, Dmel, EncodedText, Image, ImageFormat};
pub use datum::Datum;
pub use input::ModelInput;
pub use provenance::{ProvenanceSpan, Span};
#[cfg(feature = "proto")]
pub(crate) use tensor::cells;
pub use tensor::{DType, Elements, TensorData};
