//! Whether the server reads training requests as protobuf.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::api::Form;

/// What is known about the form in which the server reads training requests.
///
/// Every current server reads protobuf, so that comes first. A server that refuses it and then
/// takes JSON is remembered for the life of the client.
#[derive(Debug, Default)]
pub(crate) struct Format(AtomicU8);

const PROTOBUF: u8 = 1;
const JSON: u8 = 2;

impl Format {
    /// The form that was taken; `None` before the first.
    pub(crate) fn known(&self) -> Option<Form> {
        match self.0.load(Ordering::Relaxed) {
            PROTOBUF => Some(Form::Protobuf),
            JSON => Some(Form::Json),
            _ => None,
        }
    }

    pub(crate) fn settle(&self, form: Form) {
        let known = match form {
            Form::Protobuf => PROTOBUF,
            Form::Json => JSON,
        };
        self.0.store(known, Ordering::Relaxed);
    }
}
