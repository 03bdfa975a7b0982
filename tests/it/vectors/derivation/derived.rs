//! Origins of recorded requests.

use serde::de::DeserializeOwned;

use crate::vectors::call::Call;
use crate::vectors::message::Message;

/// The origin of a recorded request.
#[derive(Debug)]
pub(crate) enum Derived {
    /// A call.
    Call(Box<Call>),
    /// No call: start-up, polls, consequences of another call.
    FollowUp,
    /// A call that our API does not have.
    NotYet(&'static str),
}

impl From<Call> for Derived {
    fn from(call: Call) -> Self {
        Self::Call(Box::new(call))
    }
}

/// The request as its own type.
pub(super) fn read<T: DeserializeOwned>(message: &Message) -> Result<T, String> {
    let body = message.json().ok_or("the body is not JSON")?;
    serde_json::from_value(body.clone()).map_err(|error| format!("the request: {error}"))
}
