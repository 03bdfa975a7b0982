//! Options of training, loading and saving.

pub(crate) mod export;
pub(crate) mod load;
pub(crate) mod save;
pub(crate) mod training;
