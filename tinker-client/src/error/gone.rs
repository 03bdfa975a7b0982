//! Promises that the server no longer keeps.

use std::error::Error as StdError;
use std::fmt;

use tinker_types::RequestId;

/// A promise that the server no longer keeps.
#[derive(Debug)]
pub struct Gone(Box<Inner>);

#[derive(Debug)]
struct Inner {
    operation: &'static str,
    request_id: RequestId,
    has_expired: bool,
    detail: String,
}

impl Gone {
    pub(crate) fn new(
        operation: &'static str,
        request_id: RequestId,
        has_expired: bool,
        detail: String,
    ) -> Self {
        Self(Box::new(Inner {
            operation,
            request_id,
            has_expired,
            detail,
        }))
    }

    /// Name of the operation, for example `optim_step`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// Id of the request.
    pub fn request_id(&self) -> &RequestId {
        &self.0.request_id
    }

    /// Whether the promise has expired (410). False if the server does not know it (404).
    pub fn has_expired(&self) -> bool {
        self.0.has_expired
    }

    /// The server's message; may be empty.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl Inner {
    /// Whether the message names the cause, and is not just that the request is unknown.
    fn has_cause(&self) -> bool {
        let words = self.detail.to_ascii_lowercase();
        let names_request = ["request", "future", "promise", "not found"];
        let is_short = words.trim() == "not found" || words.is_empty();
        !is_short
            && !words.contains(&self.request_id.as_str().to_ascii_lowercase())
            && !names_request[..3].iter().any(|word| words.contains(word))
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            operation,
            request_id,
            has_expired,
            detail,
        } = &*self.0;
        let status = if *has_expired { 410 } else { 404 };
        if self.0.has_cause() {
            return write!(
                f,
                "{operation}: {detail} (the server answered {status} to a poll for the result of request {request_id})"
            );
        }
        if *has_expired {
            return write!(
                f,
                "{operation}: request {request_id} has expired on the server (410)"
            );
        }
        write!(
            f,
            "{operation}: the server does not know request {request_id} (404), for example after a restart; saved checkpoints can be loaded again"
        )
    }
}

impl StdError for Gone {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_server_come_first() {
        let shown = |detail: &str| {
            Gone::new("load_weights", "17".into(), false, detail.to_owned()).to_string()
        };
        let cause = "Failed to read metadata for checkpoint nosuch";
        assert!(shown(cause).starts_with(&format!("load_weights: {cause} (")));
        for plain in ["", "Not Found", "Future 17 not found", "unknown request"] {
            assert!(shown(plain).contains("does not know request 17"), "{plain}");
        }
    }
}
