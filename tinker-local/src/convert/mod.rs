//! Conversion between requests and the engine's types. Every error in a request is found here, before anything is
//! computed. Messages name the field, the cause and the fix.

mod choice;
mod custom;
mod datum;
mod gspo;
mod input;
mod loss;
mod optimizer;
mod output;
mod pass;
mod report;
mod sample;

pub(crate) use choice::pass;
pub(crate) use loss::is_computed;
pub(crate) use optimizer::{adam_step, adapter_spec, check_family};
use output::output;
pub(crate) use pass::Pass;
pub(crate) use report::Report;
pub(crate) use sample::sample_job;
