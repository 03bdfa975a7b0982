//! State between requests: sessions, models, samplers and promised results. Nothing here computes or waits for disks.

mod catalog;
mod completions;
mod copies;
mod intake;
mod model;
mod promise;
mod promises;
mod recent;
mod registry;
mod sampler;
mod sequence;
mod timeline;
mod uploads;

pub(crate) use catalog::Catalog;
pub(crate) use completions::Poller;
pub(crate) use copies::Copies;
pub(crate) use intake::{Admitted, Intake};
pub(crate) use model::{BaseId, Model};
pub(crate) use promise::{Class, Failure, Outcome, Payload, Promise};
pub(crate) use promises::{Found, Full, PromiseWriter, Promises};
pub(crate) use registry::{Absent, Registry};
pub(crate) use sampler::{Sampler, Weights};
pub(crate) use sequence::Arrival;
pub(crate) use uploads::{Upload, Uploads};
