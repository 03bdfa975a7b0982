//! Retry policies.
//!
//! | call | policy |
//! |---|---|
//! | sessions, training, REST | [`conflict::ConflictsPass`]: [`Standard`](tinker_transport::policy::Standard), but a 409 for half a minute only |
//! | samples | [`sample::SamplePolicy`]: connection errors and throttling only |
//! | saves, and requests that set a state (publish, delete) | [`conflict::ConflictIsFinal`]: a 409 is not repeated |
//! | polls for a result | none in the transport; [`PollBackoff`](crate::promise::backoff::PollBackoff) in the polling loop |
//! | heartbeats, telemetry | none: the next one follows anyway |
//! | cancels, the end of a session | `Standard` for one minute and for ten seconds |
//!
//! A sample whose promise expired (410) is submitted again by
//! [`Sampler::sample`](crate::sampling::sampler::Sampler).

pub(crate) mod conflict;
pub(crate) mod sample;
