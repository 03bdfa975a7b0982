//! The source of weights for sampling.

use tinker_types::CheckpointPath;

/// The source of weights for sampling. Text that starts with `tinker://` is a checkpoint, any other text the name of a
/// base model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SamplingSource {
    /// A base model, by name.
    BaseModel(String),
    /// A checkpoint, by its `tinker://` path; checked when it is used.
    Checkpoint(String),
}

impl From<String> for SamplingSource {
    fn from(text: String) -> Self {
        if CheckpointPath::is_address(&text) {
            Self::Checkpoint(text)
        } else {
            Self::BaseModel(text)
        }
    }
}

impl From<&str> for SamplingSource {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<&CheckpointPath> for SamplingSource {
    fn from(path: &CheckpointPath) -> Self {
        Self::Checkpoint(path.to_string())
    }
}

impl From<CheckpointPath> for SamplingSource {
    fn from(path: CheckpointPath) -> Self {
        Self::from(&path)
    }
}
