//! Decoder of server-sent events.

use std::collections::VecDeque;

use serde_json::Value;
use tinker_types::wire::route;
use tinker_types::wire::stream::{self, StreamFailure, StreamTokens};
use tinker_types::{RequestId, SampleResponse, SequenceId, Submitted};

use super::event::SampleEvent;
use super::response::name;
use crate::error::{DecodeError, Error, RequestFailed};
use crate::wire::codec::{self, Output};

const OPERATION: &str = route::STREAM_SAMPLE;

/// Incremental decoder of the events of one sample.
#[derive(Debug)]
pub(super) struct Events {
    /// An incomplete event, its lines terminated by `\n`.
    rest: Vec<u8>,
    /// Whether the last byte was `\r`, which forms one line end with a following `\n`.
    was_return: bool,
    /// Largest size of an event in bytes.
    limit: u64,
    request_id: Option<RequestId>,
    names: Option<Vec<SequenceId>>,
    /// Set after an error; later input is ignored.
    has_failed: bool,
}

impl Events {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            rest: Vec::new(),
            was_return: false,
            limit,
            request_id: None,
            names: None,
            has_failed: false,
        }
    }

    /// Decodes received bytes and appends the completed events. Each byte is read once, however the events are split
    /// into chunks.
    pub(super) fn read(&mut self, data: &[u8], found: &mut VecDeque<Result<SampleEvent, Error>>) {
        for &byte in data {
            if self.has_failed {
                return;
            }
            let is_second = byte == b'\n' && std::mem::take(&mut self.was_return);
            self.was_return = byte == b'\r';
            if is_second {
                continue;
            }
            if !matches!(byte, b'\r' | b'\n') {
                self.rest.push(byte);
                if self.rest.len() as u64 > self.limit {
                    let what =
                        format!("the server sent an event of more than {} bytes", self.limit);
                    self.fail(DecodeError::new(OPERATION, what).into(), found);
                }
                continue;
            }
            // An empty line ends an event.
            if self.rest.last().is_none_or(|&last| last == b'\n') {
                let event = std::mem::take(&mut self.rest);
                match self.event(&event) {
                    Ok(event) => found.extend(event.map(Ok)),
                    Err(error) => self.fail(error, found),
                }
            } else {
                self.rest.push(b'\n');
            }
        }
    }

    fn fail(&mut self, error: Error, found: &mut VecDeque<Result<SampleEvent, Error>>) {
        self.has_failed = true;
        self.rest = Vec::new();
        found.push_back(Err(error));
    }

    fn event(&mut self, text: &[u8]) -> Result<Option<SampleEvent>, Error> {
        let text = String::from_utf8_lossy(text);
        let field = |name: &str| {
            let lines = text.lines().filter_map(|line| line.strip_prefix(name));
            let values: Vec<&str> = lines.map(str::trim_start).collect();
            (!values.is_empty()).then(|| values.join("\n"))
        };
        // Comments keep the connection alive.
        let Some(data) = field("data:") else {
            return Ok(None);
        };
        let data = data.as_bytes();
        match field("event:").as_deref() {
            Some(stream::ACCEPTED) => {
                let accepted: Submitted = codec::from_json(OPERATION, data)?;
                self.request_id = Some(accepted.request_id);
                self.names = accepted.sample_sequence_ids;
                Ok(None)
            }
            Some(stream::TOKENS) => {
                let drawn: StreamTokens = codec::from_json(OPERATION, data)?;
                Ok(Some(SampleEvent::Tokens {
                    sequence: drawn.sequence,
                    tokens: drawn.tokens,
                    logprobs: drawn.logprobs,
                    stop_reason: drawn.stop_reason,
                }))
            }
            Some(stream::DONE) => {
                let value: Value = codec::from_json(OPERATION, data)?;
                let mut response = <SampleResponse as Output>::from_json(OPERATION, value)?;
                name(&mut response, self.names.take());
                Ok(Some(SampleEvent::Done(Box::new(response))))
            }
            Some(stream::ERROR) => {
                let failure: StreamFailure = codec::from_json(OPERATION, data)?;
                let id = self.request_id.take().unwrap_or_else(|| "".into());
                let failed = RequestFailed::new(OPERATION, id, failure.category, &failure.error);
                Err(failed.into())
            }
            // Events of newer servers are ignored.
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
