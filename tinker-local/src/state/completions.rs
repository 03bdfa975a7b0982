//! Finished samples, for polls of all samples of a sampler.

use std::collections::{BTreeMap, HashMap};

use tinker_types::wire::SEQ_IDS_PER_COPY;
use tinker_types::{Completion, RequestId, SamplingSessionId};

/// A sampler, or a copy of it in another process, that polls for its samples.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Poller {
    pub(crate) sampler: SamplingSessionId,
    /// Number of the copy; 0 for the original.
    pub(crate) copy: u64,
}

impl Poller {
    /// The poller of a sample `<sampler>:<number>`.
    pub(super) fn of(id: &RequestId) -> Option<Self> {
        Some(Self {
            sampler: id.owner().into(),
            copy: id.seq_id()? / SEQ_IDS_PER_COPY,
        })
    }

    /// Whether a sample belongs to this poller.
    pub(super) fn owns(&self, id: &RequestId) -> bool {
        Self::of(id).as_ref() == Some(self)
    }
}

/// Finished samples, by poller and in the order in which they finished.
#[derive(Debug, Default)]
pub(super) struct Completions {
    ended: HashMap<Poller, BTreeMap<u64, Completion>>,
}

impl Completions {
    /// Adds a finished sample. Each has a higher ticket than the one before.
    pub(super) fn add(&mut self, ticket: u64, id: &RequestId, size: Option<usize>) {
        let Some(poller) = Poller::of(id) else { return };
        let request_id = id.clone();
        let completion = match size {
            Some(size) => Completion::Finished {
                request_id,
                response_payload_uncompressed_size: Some(size as u64),
            },
            None => Completion::Failed { request_id },
        };
        self.ended
            .entry(poller)
            .or_default()
            .insert(ticket, completion);
    }

    pub(super) fn forget(&mut self, ticket: u64, id: &RequestId) {
        let Some(poller) = Poller::of(id) else { return };
        if let Some(ended) = self.ended.get_mut(&poller) {
            ended.remove(&ticket);
            if ended.is_empty() {
                self.ended.remove(&poller);
            }
        }
    }

    /// Samples that finished after the ticket `seen`, and the ticket for the next poll. Samples up to `seen` have
    /// arrived and are not returned again.
    pub(super) fn after(&mut self, poller: &Poller, seen: u64) -> (Vec<Completion>, u64) {
        let Some(ended) = self.ended.get_mut(poller) else {
            return (Vec::new(), seen);
        };
        *ended = ended.split_off(&(seen + 1));
        let newest = ended.keys().next_back().copied().unwrap_or(seen);
        (ended.values().cloned().collect(), newest)
    }

    pub(super) fn knows(&self, poller: &Poller) -> bool {
        self.ended.contains_key(poller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poller(copy: u64) -> Poller {
        Poller {
            sampler: "s:sample:0".into(),
            copy,
        }
    }

    fn ids(completions: &[Completion]) -> Vec<String> {
        let id = |completion: &Completion| match completion {
            Completion::Failed { request_id } => format!("{request_id} failed"),
            Completion::Finished { request_id, .. } => request_id.to_string(),
            _ => unreachable!(),
        };
        completions.iter().map(id).collect()
    }

    #[test]
    fn each_copy_hears_of_its_own_samples_once() {
        let mut completions = Completions::default();
        completions.add(1, &"s:sample:0:0".into(), Some(10));
        completions.add(2, &"s:sample:0:1000000007".into(), None);
        completions.add(3, &"s:sample:0:1".into(), Some(20));
        let (first, cursor) = completions.after(&poller(0), 0);
        assert_eq!(
            (ids(&first).join(" "), cursor),
            ("s:sample:0:0 s:sample:0:1".into(), 3)
        );
        let (again, _) = completions.after(&poller(0), 1);
        assert_eq!(ids(&again), ["s:sample:0:1"], "an answer may get lost");
        assert_eq!(completions.after(&poller(0), 3), (vec![], 3));
        let (copy, cursor) = completions.after(&poller(1), 0);
        assert_eq!(
            (ids(&copy), cursor),
            (vec!["s:sample:0:1000000007 failed".into()], 2)
        );
        completions.forget(2, &"s:sample:0:1000000007".into());
        assert!(!completions.knows(&poller(1)));
        assert_eq!(completions.after(&poller(2), 9), (vec![], 9));
    }
}
