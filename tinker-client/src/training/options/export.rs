//! Options of an external save.

use std::time::Duration;

use tinker_types::InvalidValue;

/// Largest number of recipients.
const MOST_RECIPIENTS: usize = 10;

/// Options of [`save_weights_external`](crate::TrainingClient::save_weights_external). A name converts into options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportOptions {
    /// Name of the checkpoint: one path segment.
    pub name: String,
    /// Time until it is deleted, in whole seconds. Default: never.
    pub ttl: Option<Duration>,
    /// Public keys of the recipients that the files are encrypted for, at most ten: age (`age1...`) or SSH. Default: none,
    /// the files are not encrypted.
    pub age_recipients: Vec<String>,
}

impl ExportOptions {
    /// A permanent, unencrypted save under a name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    tinker_types::setters! {
        /// Sets the time until it is deleted.
        with_ttl(ttl: Duration) => ttl = Some(ttl);

        /// Adds the public key of a recipient.
        with_age_recipient(key: impl Into<String>) => age_recipients.push(key.into());
    }

    pub(crate) fn check(&self) -> Result<(), InvalidValue> {
        let count = self.age_recipients.len();
        if count > MOST_RECIPIENTS {
            let why = format!("has {count} keys; the server accepts at most {MOST_RECIPIENTS}");
            return Err(InvalidValue::new("age_recipients", why));
        }
        Ok(())
    }
}

impl<N: Into<String>> From<N> for ExportOptions {
    fn from(name: N) -> Self {
        Self::new(name)
    }
}
