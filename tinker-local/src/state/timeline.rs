//! Times at which operations waited and ran, for traces of sessions.

use std::collections::VecDeque;
use std::time::Instant;

use serde_json::{Value, json};
use tinker_types::{RequestId, RequestType, SessionId};

/// Most operations kept; beyond it the oldest are dropped.
const KEPT: usize = 1 << 14;

/// A finished operation.
#[derive(Debug, Clone)]
pub(super) struct Slice {
    pub(super) id: RequestId,
    pub(super) kind: RequestType,
    pub(super) accepted: Instant,
    pub(super) started: Option<Instant>,
    pub(super) ended: Instant,
    pub(super) failed: bool,
}

/// The operations that finished last.
#[derive(Debug)]
pub(super) struct Timeline {
    /// Time 0 of traces.
    origin: Instant,
    slices: VecDeque<Slice>,
}

impl Timeline {
    pub(super) fn new(origin: Instant) -> Self {
        Self {
            origin,
            slices: VecDeque::new(),
        }
    }

    pub(super) fn add(&mut self, slice: Slice) {
        if self.slices.len() == KEPT {
            self.slices.pop_front();
        }
        self.slices.push_back(slice);
    }

    /// The trace of a session in the JSON form of Perfetto and Chrome. Each operation is a pair of nested asynchronous
    /// events: from acceptance to end, and within it from start to end.
    pub(super) fn trace(&self, session: &SessionId) -> Value {
        let of_session = |slice: &&Slice| slice.id.session() == *session;
        let mut tracks: Vec<String> = Vec::new();
        let mut events = Vec::new();
        for slice in self.slices.iter().filter(of_session) {
            let track = slice.id.owner().to_owned();
            let thread = tracks.iter().position(|known| *known == track);
            let thread = thread.unwrap_or_else(|| {
                tracks.push(track);
                tracks.len() - 1
            });
            let mut event = |phase: &str, name: &str, at: Instant, args: Value| {
                let microseconds = at.saturating_duration_since(self.origin).as_micros() as u64;
                events.push(json!({
                    "ph": phase, "name": name, "cat": "operation", "id": slice.id, "pid": 1, "tid": thread + 1,
                    "ts": microseconds, "args": args,
                }));
            };
            let name = slice.kind.as_str();
            let args = json!({ "request_id": slice.id, "failed": slice.failed });
            event("b", name, slice.accepted, args);
            if let Some(started) = slice.started {
                event("b", "work", started, json!({}));
                event("e", "work", slice.ended, json!({}));
            }
            event("e", name, slice.ended, json!({}));
        }
        let mut names = vec![json!({
            "ph": "M", "name": "process_name", "pid": 1, "args": { "name": format!("session {session}") },
        })];
        names.extend(tracks.iter().enumerate().map(|(thread, track)| {
            json!({
                "ph": "M", "name": "thread_name", "pid": 1, "tid": thread + 1, "args": { "name": track },
            })
        }));
        names.append(&mut events);
        json!({ "displayTimeUnit": "ms", "traceEvents": names })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use std::time::Duration;

    #[test]
    fn a_trace_holds_the_operations_of_its_session() {
        let origin = clock::now();
        let at = |milliseconds| origin + Duration::from_millis(milliseconds);
        let mut timeline = Timeline::new(origin);
        let mut slice = Slice {
            id: "s:train:0:1".into(),
            kind: RequestType::ForwardBackward,
            accepted: at(1),
            started: Some(at(3)),
            ended: at(8),
            failed: false,
        };
        timeline.add(slice.clone());
        slice.id = "t:train:0:1".into();
        timeline.add(slice.clone());
        slice.id = "s:sample:0:0".into();
        slice.started = None;
        timeline.add(slice);
        let trace = timeline.trace(&"s".into());
        let events = trace["traceEvents"].as_array().unwrap();
        let short: Vec<String> = events
            .iter()
            .map(|e| format!("{}{}@{}", e["ph"], e["name"], e["ts"]).replace('"', ""))
            .collect();
        assert_eq!(
            short,
            [
                "Mprocess_name@null",
                "Mthread_name@null",
                "Mthread_name@null",
                "bForwardBackward@1000",
                "bwork@3000",
                "ework@8000",
                "eForwardBackward@8000",
                "bForwardBackward@1000",
                "eForwardBackward@8000",
            ]
        );
        assert_eq!(events[1]["args"]["name"], "s:train:0");
    }
}
