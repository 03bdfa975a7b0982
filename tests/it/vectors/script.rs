//! The recorded exchanges, each used once.

use super::exchange::Asked;
use super::message::Message;
use super::sent::Sent;
use super::vector::Vector;

/// Identity of an operation: method, path, and the key in the body.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    method: String,
    path: String,
    key: String,
}

impl Identity {
    pub(crate) fn recorded(asked: &Asked) -> Result<Self, String> {
        Ok(Self {
            method: asked.method.clone(),
            path: asked.path.clone(),
            key: Message::recorded(asked)?.key(),
        })
    }

    pub(crate) fn sent(sent: &Sent) -> Self {
        Self {
            method: sent.method.clone(),
            path: sent.path.clone(),
            key: sent.message.as_ref().map(Message::key).unwrap_or_default(),
        }
    }
}

/// Recorded exchanges in their order.
#[derive(Debug)]
pub(crate) struct Script {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    identity: Identity,
    is_used: bool,
}

impl Script {
    pub(crate) fn of(vector: &Vector) -> Result<Self, String> {
        let entry = |exchange: &super::exchange::Exchange| {
            Ok(Entry {
                identity: Identity::recorded(&exchange.request)?,
                is_used: false,
            })
        };
        let entries = vector.exchanges.iter().map(entry);
        Ok(Self {
            entries: entries.collect::<Result<_, String>>()?,
        })
    }

    /// The index of the next exchange of this identity.
    pub(crate) fn take(&mut self, identity: &Identity) -> Option<usize> {
        let index = self
            .entries
            .iter()
            .position(|entry| !entry.is_used && entry.identity == *identity)?;
        self.entries[index].is_used = true;
        Some(index)
    }

    /// Whether the recording has exchanges of this identity, used or not.
    pub(crate) fn knows(&self, identity: &Identity) -> bool {
        self.entries.iter().any(|entry| entry.identity == *identity)
    }
}
