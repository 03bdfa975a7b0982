//! Checkpoints on disk.
//!
//! ```text
//! <data folder>/                        0700
//!   lock                                held while a process uses the folder
//!   owner                               id of that process, for error messages of others
//!   samplers/                           weights of samplers that were moved out of memory; emptied at the start
//!   uploads/<id>/                       files of adapters that are being uploaded; emptied at the start
//!   tmp/                                writes in progress; leftovers are removed when the folder is opened
//!   checkpoints/<run>/run.json          the run and its session, for lists; not needed to load anything
//!   checkpoints/<run>/expired.json      checkpoints of the run that have expired, for error messages
//!   checkpoints/<run>/<kind>/<name>/    one checkpoint; kind is weights, sampler_weights or external_weights
//!     adapter_config.json               PEFT
//!     adapter_model.safetensors         PEFT
//!     optimizer.safetensors             weights only: first and second moments
//!     checkpoint.json                   path, base model, times, notes, owner, sizes of the other files
//! ```
//!
//! A checkpoint is written to `tmp`, where each file and the folder are flushed to the disk, and then renamed into
//! place; the folder above is flushed as well. A process can be killed at any moment: a checkpoint exists completely or
//! not at all, and an acknowledged checkpoint stays.

mod access;
mod archive;
mod change;
mod checkpoints;
mod disk;
mod error;
mod expired;
mod file;
mod folder;
mod foreign;
mod name;
mod origin;
mod peft;
#[cfg(feature = "decoders")]
mod probe;
mod record;
mod runs;
mod saved;
mod tarball;
mod tensors;
mod uploads;
mod write;

pub(crate) use access::Access;
pub(crate) use archive::Archive;
pub(crate) use checkpoints::Store;
pub use error::StoreError;
pub(crate) use name::check_name;
#[cfg(feature = "decoders")]
pub(crate) use probe::read_any;
pub(crate) use record::{NewCheckpoint, Record};
pub(crate) use saved::Saved;
pub(crate) use tarball::Tarball;
pub(crate) use uploads::UPLOADED;
