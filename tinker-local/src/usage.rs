//! Usage counts by the hour. On a local engine usage costs nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tinker_types::{SessionId, Usage};

use crate::clock;

/// Most counts kept, one for each hour, session and kind; beyond it the oldest are dropped.
const KEPT: usize = 50_000;

const HOUR: i64 = 3600;

/// Kind of usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Tokens of training passes, including forward-only passes.
    Training,
    /// Prompt tokens that were computed.
    Prefill,
    /// Prompt tokens that came from a cache.
    Cached,
    /// Sampled tokens.
    Sampled,
    /// Checkpoints.
    Checkpoint,
}

impl Kind {
    /// A count in the form of the usage report.
    pub(crate) fn usage(self, count: u64) -> Usage {
        match self {
            Self::Training => Usage::Training { token_count: count },
            Self::Prefill | Self::Cached => Usage::SamplingPrefill {
                cached: self == Self::Cached,
                token_count: count,
            },
            Self::Sampled => Usage::SamplingSample { token_count: count },
            Self::Checkpoint => Usage::Checkpoint { count },
        }
    }
}

/// A count of one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) session: SessionId,
    pub(crate) kind: Kind,
    pub(crate) amount: u64,
}

/// Counts of this process. Not kept across restarts.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    counts: Mutex<BTreeMap<(i64, SessionId, Kind), u64>>,
}

impl Ledger {
    pub(crate) fn add(&self, session: &SessionId, kind: Kind, count: usize) {
        self.add_at(clock::calendar(), session, kind, count as u64);
    }

    fn add_at(&self, at: Timestamp, session: &SessionId, kind: Kind, count: u64) {
        if count == 0 {
            return;
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let hour = at.as_second().div_euclid(HOUR);
        *counts.entry((hour, session.clone(), kind)).or_default() += count;
        if counts.len() > KEPT {
            counts.pop_first();
        }
    }

    /// The counts of hours that begin in `from..to`, by hour, session and kind.
    pub(crate) fn between(&self, from: Timestamp, to: Timestamp) -> Vec<Count> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let all = counts.iter().filter_map(|((hour, session, kind), count)| {
            let second = |hour: i64| Timestamp::from_second(hour * HOUR).ok();
            Some(Count {
                from: second(*hour)?,
                to: second(hour + 1)?,
                session: session.clone(),
                kind: *kind,
                amount: *count,
            })
        });
        all.filter(|count| (from..to).contains(&count.from))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_gathered_by_the_hour() {
        let ledger = Ledger::default();
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let add = |text: &str, session: &str, kind, count| {
            ledger.add_at(at(text), &session.into(), kind, count);
        };
        add("2026-01-02T03:00:00Z", "s", Kind::Training, 5);
        add("2026-01-02T03:59:59Z", "s", Kind::Training, 6);
        add("2026-01-02T03:30:00Z", "s", Kind::Sampled, 1);
        add("2026-01-02T04:00:00Z", "t", Kind::Cached, 0);
        add("2026-01-02T04:00:00Z", "t", Kind::Cached, 9);
        let counts = ledger.between(at("2026-01-02T03:00:00Z"), at("2026-01-02T04:00:00Z"));
        let short: Vec<_> = counts.iter().map(|c| (c.kind, c.amount)).collect();
        assert_eq!(short, [(Kind::Training, 11), (Kind::Sampled, 1)]);
        assert_eq!(counts[0].to, at("2026-01-02T04:00:00Z"));
        let later = ledger.between(at("2026-01-02T04:00:00Z"), Timestamp::MAX);
        assert_eq!(
            later[0].kind.usage(later[0].amount),
            Usage::SamplingPrefill {
                cached: true,
                token_count: 9
            }
        );
    }
}
