//! Tests over the HTTP interface, with the real engine and a tiny random model.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod abuse;
mod account;
mod bases;
mod behavior;
mod checkpoint;
mod crash;
mod damage;
mod golden;
mod hooked;
mod hostile;
mod keys;
mod kill;
mod limits;
mod listing;
mod loss;
mod odd_samples;
mod order;
mod poll;
mod prompt;
mod refused;
mod restart;
mod samplers;
mod sampling;
#[cfg(feature = "serve")]
mod serve;
mod stream;
mod support;
mod tarball;
mod tenants;
mod training;
mod upload;
