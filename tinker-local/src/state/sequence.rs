//! Order of a model's operations.

use std::collections::BTreeMap;

use super::recent::Recent;

/// Most refused numbers that are remembered once they have been passed.
const REFUSALS: usize = 1024;
/// Most items that may wait for a predecessor.
const PARKED: usize = 1 << 16;

/// Returns items strictly by number, from 1, one at a time, whatever the order in which they arrive.
#[derive(Debug)]
pub(crate) struct Sequence<T> {
    /// The lowest number that has not started.
    next: u64,
    /// Items from `next` on; `None` for a refused number, which is skipped.
    arrived: BTreeMap<u64, Option<T>>,
    refused: Recent<u64>,
    busy: bool,
    /// The last missing number that was reported; 0 at first.
    reported: u64,
}

/// State of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Not submitted yet.
    New,
    /// Accepted before.
    Repeated,
    /// Refused before.
    Refused,
    /// Too many items wait for predecessors.
    Crowded,
}

impl<T> Sequence<T> {
    /// A sequence that returns nothing before the first [`finish`](Self::finish).
    pub(crate) fn busy() -> Self {
        Self {
            next: 1,
            arrived: BTreeMap::new(),
            refused: Recent::new(REFUSALS),
            busy: true,
            reported: 0,
        }
    }

    pub(crate) fn arrival(&self, number: u64) -> Arrival {
        match self.arrived.get(&number) {
            Some(Some(_)) => Arrival::Repeated,
            Some(None) => Arrival::Refused,
            None if self.refused.contains(&number) => Arrival::Refused,
            None if number < self.next => Arrival::Repeated,
            None if self.arrived.len() >= PARKED && number != self.next => Arrival::Crowded,
            None => Arrival::New,
        }
    }

    /// Adds an item whose number is [`Arrival::New`].
    pub(crate) fn put(&mut self, number: u64, item: T) {
        self.arrived.insert(number, Some(item));
    }

    /// Marks a number as refused, so that it does not block its successors.
    pub(crate) fn refuse(&mut self, number: u64) {
        if self.arrival(number) == Arrival::New {
            self.arrived.insert(number, None);
        }
    }

    /// Starts the next item, if it has arrived. The one after it can start after [`finish`](Self::finish).
    pub(crate) fn start(&mut self) -> Option<T> {
        if self.busy {
            return None;
        }
        while let Some(arrived) = self.arrived.remove(&self.next) {
            match arrived {
                Some(item) => {
                    self.next += 1;
                    self.busy = true;
                    return Some(item);
                }
                None => self.refused.insert(self.next),
            }
            self.next += 1;
        }
        None
    }

    /// Marks the running item as finished.
    pub(crate) fn finish(&mut self) {
        self.busy = false;
    }

    /// The items that never started.
    pub(crate) fn into_waiting(self) -> impl Iterator<Item = T> {
        self.arrived.into_values().flatten()
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Whether other items wait for exactly this number.
    pub(crate) fn is_awaited(&self, number: u64) -> bool {
        number == self.next && !self.arrived.is_empty()
    }

    /// Notes that a missing number is reported. Returns whether it is the first time.
    pub(crate) fn report(&mut self, missing: u64) -> bool {
        std::mem::replace(&mut self.reported, missing) != missing
    }

    /// The number that all items wait for, if it has not arrived.
    pub(crate) fn missing(&self) -> Option<u64> {
        (!self.arrived.is_empty() && !self.arrived.contains_key(&self.next)).then_some(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Sequence<&'static str> {
        let mut sequence = Sequence::busy();
        sequence.finish();
        sequence
    }

    #[test]
    fn later_numbers_wait_for_the_first() {
        let mut sequence = open();
        sequence.put(3, "c");
        sequence.put(2, "b");
        assert_eq!((sequence.start(), sequence.missing()), (None, Some(1)));
        assert!(sequence.is_awaited(1) && !sequence.is_awaited(4));
        sequence.put(1, "a");
        let mut order = Vec::new();
        while let Some(item) = sequence.start() {
            assert_eq!(sequence.start(), None, "one at a time");
            order.push(item);
            sequence.finish();
        }
        assert_eq!(order, ["a", "b", "c"]);
    }

    #[test]
    fn a_refused_number_is_passed_over_and_stays_refused() {
        let mut sequence = open();
        sequence.put(3, "c");
        sequence.refuse(2);
        sequence.refuse(1);
        assert_eq!(sequence.start(), Some("c"));
        assert_eq!(
            [1, 2, 3, 4].map(|n| sequence.arrival(n)),
            [
                Arrival::Refused,
                Arrival::Refused,
                Arrival::Repeated,
                Arrival::New
            ]
        );
    }

    #[test]
    fn refusing_does_not_undo_an_acceptance() {
        let mut sequence = open();
        sequence.put(1, "a");
        sequence.refuse(1);
        assert_eq!(sequence.start(), Some("a"));
        assert_eq!(sequence.arrival(1), Arrival::Repeated);
    }

    #[test]
    fn nothing_starts_before_the_model_is_made() {
        let mut sequence = Sequence::busy();
        sequence.put(1, "a");
        assert_eq!(sequence.start(), None);
        sequence.finish();
        assert_eq!(sequence.start(), Some("a"));
    }
}
