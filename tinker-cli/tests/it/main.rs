//! The program as its users start it: exit codes, what stands on stdout, what is left on the disk.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails where something is missing"
)]

mod export;
mod interrupt;
mod outside;
mod program;
mod sample;
mod serve;
mod several;
mod train;
