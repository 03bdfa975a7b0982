//! Sequence ids and turns: the operations of a model are sent in the order of their calls.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;
use tokio::sync::oneshot;

use crate::error::{Error, Poisoned};

/// Hands out sequence ids and turns for one model.
///
/// A turn is reserved when a method is called, so the order of calls is the order on the wire, however the sending
/// tasks are scheduled. It begins when every earlier turn has ended: its requests were accepted or have finally failed,
/// or its task was dropped. Ids are taken within a turn, so one that sends nothing leaves no gap.
#[derive(Debug, Default)]
pub(crate) struct Sequencer {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sequence_ids: u64,
    turns: u64,
    /// All turns before this one have ended.
    current: u64,
    ended_early: BTreeSet<u64>,
    waiting: HashMap<u64, oneshot::Sender<()>>,
    /// The cause, if sequence ids were reserved that the server will never receive.
    poison: Option<Arc<str>>,
    /// The latest sequence id whose request was refused.
    refused: Option<u64>,
    /// Ids of failed requests that the server may not have counted.
    open: BTreeSet<u64>,
}

impl Sequencer {
    /// Reserves the next turn.
    pub(crate) fn reserve(self: &Arc<Self>) -> Turn {
        let mut state = self.state();
        let number = state.turns;
        state.turns += 1;
        Turn {
            sequencer: Arc::clone(self),
            number,
        }
    }

    /// Refuses all later operations: the server waits for ids that will never be sent.
    pub(crate) fn poison(&self, cause: &str) {
        self.state().poison.get_or_insert_with(|| cause.into());
    }

    /// Records a failed request. Its sequence id is not used again.
    pub(crate) fn note<T>(&self, seq_id: u64, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result {
            let mut state = self.state();
            if may_be_uncounted(error) {
                state.open.insert(seq_id);
            }
            if matches!(error, Error::Status(error) if error.status().is_client_error()) {
                state.refused = state.refused.max(Some(seq_id));
            }
        }
        result
    }

    /// The first sequence id of a failed request that the server may not have counted.
    pub(crate) fn first_open(&self) -> Option<u64> {
        self.state().open.first().copied()
    }

    /// Records that the server has counted a sequence id.
    pub(crate) fn close(&self, seq_id: u64) {
        self.state().open.remove(&seq_id);
    }

    /// The latest sequence id whose request was refused.
    pub(crate) fn refused(&self) -> Option<u64> {
        self.state().refused
    }

    pub(crate) fn check(&self) -> Result<(), Poisoned> {
        match &self.state().poison {
            Some(cause) => Err(Poisoned::new(Arc::clone(cause))),
            None => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, number: u64) {
        let mut state = self.state();
        state.waiting.remove(&number);
        state.ended_early.insert(number);
        loop {
            let current = state.current;
            if !state.ended_early.remove(&current) {
                break;
            }
            state.current += 1;
        }
        let current = state.current;
        if let Some(waiter) = state.waiting.remove(&current) {
            // A waiter that was dropped ends its turn by itself.
            let _ = waiter.send(());
        }
    }
}

/// Whether the server may not have counted the sequence id of a failed request: it did not receive the request, or
/// something in front of it answered. Other refusals count.
fn may_be_uncounted(error: &Error) -> bool {
    match error {
        Error::Status(error) => {
            let status = error.status();
            status == StatusCode::PAYLOAD_TOO_LARGE || status.is_server_error()
        }
        Error::Transport(_) | Error::Invalid(_) => true,
        _ => false,
    }
}

/// A turn in the order of a model; ends on drop.
#[derive(Debug)]
pub(crate) struct Turn {
    sequencer: Arc<Sequencer>,
    number: u64,
}

impl Turn {
    /// Takes the next sequence ids, after the turn has begun. The first id of a model is 1.
    pub(crate) fn take(&self, ids: usize) -> Range<u64> {
        let mut state = self.sequencer.state();
        let first = state.sequence_ids + 1;
        state.sequence_ids += ids as u64;
        first..first + ids as u64
    }

    /// Returns the ids that were taken last, none of which was sent.
    pub(crate) fn give_back(&self, ids: &Range<u64>) {
        let mut state = self.sequencer.state();
        debug_assert_eq!(
            state.sequence_ids + 1,
            ids.end,
            "only the last ids are returned"
        );
        state.sequence_ids = ids.start - 1;
    }

    /// Waits until every earlier turn has ended.
    pub(crate) async fn begins(&self) {
        let begins = {
            let mut state = self.sequencer.state();
            if state.current == self.number {
                return;
            }
            let (sender, receiver) = oneshot::channel();
            state.waiting.insert(self.number, sender);
            receiver
        };
        // The sequencer keeps the sender until it is used, and this turn keeps the sequencer.
        let _ = begins.await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.sequencer.end(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn ids_begin_at_1_and_have_no_gaps() {
        let sequencer = Arc::new(Sequencer::default());
        let turn = sequencer.reserve();
        let ids: Vec<_> = [1, 3, 1].map(|n| turn.take(n)).into();
        assert_eq!(ids, [1..2, 2..5, 5..6]);
        turn.give_back(&(5..6));
        turn.give_back(&(2..5));
        assert_eq!(turn.take(1), 2..3);
    }

    #[tokio::test]
    async fn a_turn_that_ends_early_does_not_open_the_next_too_soon() {
        let sequencer = Arc::new(Sequencer::default());
        let (first, second, third) = (
            sequencer.reserve(),
            sequencer.reserve(),
            sequencer.reserve(),
        );
        drop(second);
        let mut begins = tokio_test::task::spawn(third.begins());
        assert!(begins.poll().is_pending());
        drop(first);
        assert!(begins.is_woken() && begins.poll().is_ready());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The work of turns happens in the order of their reservation, whatever their delays and whether or not
        /// they run.
        #[test]
        fn work_happens_in_the_order_of_calls(
            turns in proptest::collection::vec((0_u64..50, 0_u64..50, 0..10_u8), 1..30),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            let expected: Vec<usize> =
                (0..turns.len()).filter(|&index| turns[index].2 > 0).collect();
            let done = Arc::new(Mutex::new(Vec::new()));
            let log = Arc::clone(&done);
            runtime.block_on(async move {
                let sequencer = Arc::new(Sequencer::default());
                let mut tasks = tokio::task::JoinSet::new();
                for (index, (before, within, fate)) in turns.into_iter().enumerate() {
                    let (turn, log) = (sequencer.reserve(), Arc::clone(&log));
                    tasks.spawn(async move {
                        tokio::time::sleep(Duration::from_millis(before)).await;
                        if fate == 0 {
                            return; // dropped before its turn
                        }
                        turn.begins().await;
                        log.lock().unwrap().push(index);
                        tokio::time::sleep(Duration::from_millis(within)).await;
                    });
                }
                tasks.join_all().await;
            });
            prop_assert_eq!(&*done.lock().unwrap(), &expected);
        }
    }
}
