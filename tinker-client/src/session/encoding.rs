//! Encoding of training requests.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::wire::request::Form;

/// The encoding in which the server accepts training requests, as far as it is known.
///
/// Current servers accept protobuf, so it is tried first. For a server that refuses it and accepts JSON, JSON is used
/// for the life of the client.
#[derive(Debug, Default)]
pub(crate) struct PassEncoding(AtomicU8);

const PROTOBUF: u8 = 1;
const JSON: u8 = 2;

impl PassEncoding {
    /// The accepted form; `None` before the first request.
    pub(crate) fn known(&self) -> Option<Form> {
        match self.0.load(Ordering::Relaxed) {
            PROTOBUF => Some(Form::Protobuf),
            JSON => Some(Form::Json),
            _ => None,
        }
    }

    /// Records the accepted form.
    pub(crate) fn settle(&self, form: Form) {
        let known = match form {
            Form::Protobuf => PROTOBUF,
            Form::Json => JSON,
        };
        self.0.store(known, Ordering::Relaxed);
    }
}
