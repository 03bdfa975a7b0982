//! Operations, and the threads that run them.

mod copying;
mod creation;
mod loading;
mod losses;
mod message;
mod operations;
mod reply;
mod sampling;
mod saving;
mod schedule;
mod served;
mod sessions;
mod share;
mod submission;
mod training;
mod uploads;
mod watch;
mod worker;

pub(crate) use operations::Operations;
pub(crate) use saving::lifetime;
pub(crate) use served::Served;
pub(crate) use submission::Submission;
pub(crate) use worker::Gone;
