//! Tests of the program as users start it: exit codes, output, and files on the disk.

#![expect(clippy::unwrap_used, reason = "a missing value fails the test")]

mod answers;
mod asked;
mod bulk;
mod crash;
mod data;
mod disturbance;
#[cfg(feature = "tokenizers")]
mod encoded;
#[cfg(feature = "tokenizers")]
mod ends;
mod export;
#[cfg(feature = "tokenizers")]
mod first_run;
mod folder;
mod followed;
mod handover;
mod hostile;
mod imported;
mod interrupt;
mod kills;
mod live;
mod manage;
#[cfg(feature = "tokenizers")]
mod model_folder;
mod names;
mod official;
mod outside;
mod plan;
mod printed;
mod program;
mod pull;
mod push;
mod recipe;
mod relay;
mod restart;
mod sample;
mod schemas;
mod serve;
mod servers;
mod several;
mod shell;
mod snapshot;
mod stopped;
#[cfg(feature = "tokenizers")]
mod texts;
mod train;
mod waiting;
mod watch;
