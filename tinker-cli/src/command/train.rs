//! `tinker train`: supervised fine-tuning.

mod args;
mod cache;
mod encoded;
mod evaluate;
mod job;
mod pace;
mod plan;
mod preview;
mod record;
mod recovery;
mod run;
mod run_folder;
mod schedule;
mod source;
mod split;
mod steps;
mod suggest;
mod summary;
mod watch;

pub(crate) use args::Args;
pub(crate) use run::run;
#[cfg(feature = "local")]
pub(crate) use run_folder::{CONFIG, METRICS, SUMMARY};
pub(crate) use steps::Diverged;
