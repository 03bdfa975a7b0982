//! Many clients of one engine at once, and the same work done one after another.
//!
//! Some clients train an adapter each, the others sample from the base model and from what the trainers have saved.
//! Afterwards everything is done again on a fresh engine, one operation at a time, and must give the same bits.

mod again;
mod server;
mod table;
mod together;
mod work;

pub use again::repeat;
pub use server::{Memory, Server};
pub use table::table;
pub use together::{Plan, Together, run};
