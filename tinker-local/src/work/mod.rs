//! What happens away from the requests: the thread that owns the model, and the operations that run on it.

mod acts;
mod message;
mod operation;
mod schedule;
mod share;
mod watch;
mod worker;

pub(crate) use acts::{import, load, sampler, save, step, train};
pub(crate) use message::{Lane, Sampling};
pub(crate) use operation::{Act, Begin, Operation, Turn};
pub(crate) use watch::{Piece, Watch};
pub(crate) use worker::{Gone, Worker};
