//! Index of a base model.

/// Index of a base model in the list of the models that an engine serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BaseId(pub(crate) usize);
