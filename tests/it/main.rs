//! Integration tests across crates: the client against the real engine, in process and over a socket.

mod api_keys;
mod byte_tokenizer;
mod cassettes;
mod decoders;
mod dropping;
mod fault_run;
mod load;
mod lost_session;
mod order;
mod peft;
mod refusal;
mod restart;
mod runtimes;
mod same_numbers;
mod secrets;
mod soak;
mod support;
mod tenants;
mod training;
mod upload;
mod vectors;
