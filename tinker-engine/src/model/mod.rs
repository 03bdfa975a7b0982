//! Decoder models: configuration, weights, forward and backward passes.

mod attention;
mod backward;
mod config;
mod forward;
mod head;
mod layout;
mod load;
mod lora;
mod lora_file;
mod lora_layout;
mod packed;
mod pass;
mod projection;
mod rope;
mod tape;
mod tensor_file;
mod tensors;
mod weights;

pub(crate) use attention::{History, KeyValues};
pub use config::{Arch, ModelConfig};
pub(crate) use forward::{Adapted, Caches, ForwardPass, Segment, SegmentCaches};
pub(crate) use head::{Objective, Term, rows_at_once};
pub(crate) use layout::{Layout, Slot};
pub(crate) use lora::{Lora, LoraSite};
pub(crate) use lora_layout::AdapterLayout;
pub(crate) use packed::{Model, Precision};
pub(crate) use pass::{TrainingPass, Workspace};
pub(crate) use projection::{Grads, Group, Projection};
pub use rope::RopeScaling;
pub(crate) use tape::{Tape, room};
pub(crate) use tensor_file::{Blob, TensorFile, not_a_file, write_tensors};
pub(crate) use tensors::TensorSource;
pub(crate) use weights::Weights;
