//! Reading server-sent events.

use serde::Deserialize;
use serde_json::Value;
use tinker_types::{ErrorCategory, RequestId, SampleResponse, SequenceId, Submitted};

use super::check::name;
use super::stream::SampleEvent;
use crate::codec::{self, Output};
use crate::error::{DecodeError, Error, RequestFailed};

const OPERATION: &str = "stream_sample";
/// An event longer than this is none.
const MOST: usize = 1 << 28;

/// Events of one sample, as far as they have arrived.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// The beginning of an event.
    rest: Vec<u8>,
    request_id: Option<RequestId>,
    names: Option<Vec<SequenceId>>,
}

#[derive(Deserialize)]
struct Piece {
    sequence: usize,
    tokens: Vec<u32>,
    #[serde(default)]
    logprobs: Vec<f32>,
}

#[derive(Deserialize)]
struct Failure {
    error: String,
    #[serde(default)]
    category: ErrorCategory,
}

impl Events {
    /// Takes what arrived; gives the events that are complete.
    pub(super) fn read(&mut self, data: &[u8]) -> Result<Vec<SampleEvent>, Error> {
        self.rest.extend(data.iter().filter(|&&byte| byte != b'\r'));
        let mut found = Vec::new();
        while let Some(end) = self.rest.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = self.rest.drain(..end + 2).collect();
            found.extend(self.event(&event)?);
        }
        if self.rest.len() > MOST {
            return Err(DecodeError::new(OPERATION, "sent an event without an end").into());
        }
        Ok(found)
    }

    fn event(&mut self, text: &[u8]) -> Result<Option<SampleEvent>, Error> {
        let text = String::from_utf8_lossy(text);
        let field = |name: &str| {
            let lines = text.lines().filter_map(|line| line.strip_prefix(name));
            let values: Vec<&str> = lines.map(str::trim_start).collect();
            (!values.is_empty()).then(|| values.join("\n"))
        };
        // Comments are signs of life.
        let Some(data) = field("data:") else {
            return Ok(None);
        };
        let data = data.as_bytes();
        match field("event:").as_deref() {
            Some("accepted") => {
                let accepted: Submitted = codec::from_json(OPERATION, data)?;
                self.request_id = Some(accepted.request_id);
                self.names = accepted.sample_sequence_ids;
                Ok(None)
            }
            Some("tokens") => {
                let told: Piece = codec::from_json(OPERATION, data)?;
                Ok(Some(SampleEvent::Tokens {
                    sequence: told.sequence,
                    tokens: told.tokens,
                    logprobs: told.logprobs,
                }))
            }
            Some("done") => {
                let value: Value = codec::from_json(OPERATION, data)?;
                let mut response = <SampleResponse as Output>::from_json(OPERATION, value)?;
                name(&mut response, self.names.take());
                Ok(Some(SampleEvent::Done(Box::new(response))))
            }
            Some("error") => {
                let failure: Failure = codec::from_json(OPERATION, data)?;
                let id = self.request_id.take().unwrap_or_else(|| "".into());
                let failed = RequestFailed::new(OPERATION, id, failure.category, &failure.error);
                Err(failed.into())
            }
            // Events of a newer server.
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: &str = "event: accepted\ndata: {\"request_id\":\"r\",\"sample_sequence_ids\":[\"q\"]}\n\n: waiting\n\nevent: tokens\ndata: {\"sequence\":0,\"tokens\":[1,2],\"logprobs\":[-0.5,-1.0]}\n\nevent: later\ndata: {}\n\nevent: done\ndata: {\"type\":\"sample\",\"sequences\":[{\"stop_reason\":\"stop\",\"tokens\":[1,2]}]}\n\n";

    #[test]
    fn a_failure_is_an_error_with_its_request() {
        let mut events = Events::default();
        let text = "event: accepted\ndata: {\"request_id\":\"r-1\"}\n\nevent: error\ndata: {\"error\":\"no room\",\"category\":\"server\"}\n\n";
        let error = events.read(text.as_bytes()).unwrap_err().to_string();
        assert!(
            error.contains("no room") && error.contains("r-1"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn events_are_the_same_however_they_are_cut(cuts in proptest::collection::vec(1_usize..40, 1..40)) {
            let mut events = Events::default();
            let mut left = STREAM.as_bytes();
            let mut found = Vec::new();
            for cut in cuts.into_iter().cycle() {
                if left.is_empty() {
                    break;
                }
                let (now, later) = left.split_at(cut.min(left.len()));
                found.extend(events.read(now).unwrap());
                left = later;
            }
            prop_assert_eq!(found.len(), 2);
            let is_named = matches!(&found[1], SampleEvent::Done(response)
                if response.sequences[0].sequence_id.as_ref().is_some_and(|id| id.as_str() == "q"));
            prop_assert!(is_named);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Events::default().read(&bytes);
        }
    }
}
