//! Stored objects of a server, by group: runs, checkpoints, sessions, the account.

pub(crate) mod account;
mod archive;
pub(crate) mod checkpoints;
pub(crate) mod copy;
pub(crate) mod copy_options;
pub(crate) mod list_options;
pub(crate) mod pages;
pub(crate) mod runs;
mod search;
pub(crate) mod sessions;
mod trace;
mod upload;
mod whoami;

#[cfg(test)]
mod tests;
