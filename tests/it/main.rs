//! What crosses crates: the client against the real engine, in process and over a socket.

mod decoders;
mod order;
mod refusal;
mod restart;
mod same_numbers;
mod support;
mod training;
mod vectors;
