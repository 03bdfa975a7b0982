//! Recordings of the official client, replayed with ours.
//!
//! A recording (`vector`, `exchange`, `body`) contains the requests of the official client, the
//! answers, and the client's results. A plan is derived from the requests (`derivation`, `plan`): the
//! calls of our API that send the same. The calls are made (`replay`, `running`, `custom_loss`)
//! against a server that gives the recorded answers (`stub`, `script`), and default answers where a
//! recording is incomplete (`usual`). Then requests and results are compared (`compare`), and every
//! message is decoded and encoded by our types (`forms`). Facts that cannot be derived, and intended
//! differences, are in tables (`known`). The output is a page, `docs/recordings.md`.

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
mod left_out;
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
