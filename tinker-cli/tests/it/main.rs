//! Tests of the program as users start it: exit codes, output, and files on the disk.

#![expect(clippy::unwrap_used, reason = "a missing value fails the test")]

mod data;
mod export;
mod hostile;
mod interrupt;
mod outside;
mod plan;
mod program;
mod pull;
mod restart;
mod sample;
mod serve;
mod servers;
mod several;
mod train;
mod waiting;
