//! Requests of our client.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;

use super::message::Message;

/// A request of our client.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// Time since the replay began.
    pub(crate) at: Duration,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) message: Result<Message, String>,
    pub(crate) answered: Answered,
}

/// The origin of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    /// The exchange of this index.
    Recorded(usize),
    /// A kind of request that recordings leave out.
    Usual,
    /// A request that the official client does not send here.
    Unexpected,
}

impl Sent {
    pub(crate) fn new(at: Duration, head: &Parts, body: &Bytes) -> Self {
        let header = |name: &str| {
            let value = head.headers.get(name)?;
            value.to_str().ok()
        };
        let query = head.uri.query().unwrap_or_default();
        let content_type = header("content-type").unwrap_or_default();
        Self {
            at,
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            message: Message::read(content_type, header("content-encoding"), body),
            headers: head.headers.clone(),
            answered: Answered::Unexpected,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Index of the exchange it repeats.
    pub(crate) fn recorded(&self) -> Option<usize> {
        match self.answered {
            Answered::Recorded(index) => Some(index),
            Answered::Usual | Answered::Unexpected => None,
        }
    }

    pub(crate) fn title(&self) -> String {
        let key = self.message.as_ref().map(Message::key).unwrap_or_default();
        format!("{} {} {key}", self.method, self.path)
            .trim_end()
            .to_owned()
    }
}
