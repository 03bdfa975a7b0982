//! Recordings of the official client, replayed with ours.
//!
//! A recording (`vector`, `exchange`, `body`) shows what the official client sent and what it made
//! of the answers. From its requests a plan is derived (`derivation`, `plan`): which calls of our
//! API send the same. They are made (`replay`, `running`, `custom_loss`) against a server that gives
//! the recorded answers (`stub`, `script`), and the usual ones where a recording leaves something
//! out (`usual`). Then what we sent and what came of it is compared (`compare`), and every message
//! is read and written by our types (`forms`). What cannot be derived, and where we differ on
//! purpose, stands in tables (`known`). The result is a table of all recordings, `target/vectors.md`.

mod body;
mod call;
mod compare;
mod custom_loss;
mod derivation;
mod digest;
mod exchange;
mod expected;
mod forms;
mod json;
mod known;
mod message;
mod notation;
mod notes;
mod outcome;
mod outputs;
mod plan;
mod promised;
mod replay;
mod report;
mod running;
mod script;
mod sensitivity;
mod sent;
mod setup;
mod stub;
mod suite;
mod usual;
mod vector;
mod verdict;
