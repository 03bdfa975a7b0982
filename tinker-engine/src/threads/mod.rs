//! Threads that stay between calls.

mod pool;

pub(crate) use pool::{Hands, Team};
