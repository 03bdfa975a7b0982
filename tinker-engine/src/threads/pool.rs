//! Threads that stay between calls. Starting a thread costs as much as generating a token of a small
//! model, so they are started once, and wait awake for a moment before they sleep.
#![expect(
    unsafe_code,
    reason = "a task borrows from its caller, which the threads' types cannot say"
)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Looks at the counter this often before going to sleep, some 50 microseconds: longer than the gap
/// between two steps of a generation.
const LOOKS: usize = 2000;

/// A number of threads, the caller's among them.
#[derive(Debug)]
pub(crate) struct Team {
    shared: Arc<Shared>,
    members: Vec<JoinHandle<()>>,
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Number of the present task, for those who wait awake.
    round: AtomicUsize,
    /// Members at work on it.
    busy: AtomicUsize,
    panicked: AtomicBool,
    desk: Mutex<Desk>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Desk {
    round: usize,
    task: Option<Task>,
    asleep: usize,
    closed: bool,
}

#[derive(Clone, Copy)]
struct Task(&'static (dyn Fn(usize) + Sync));

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Task")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Team {
    /// A team of `threads`, at least the caller. Fewer, if the system does not give that many.
    pub(crate) fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let members = (1..threads)
            .map_while(|i| {
                let shared = Arc::clone(&shared);
                let builder = std::thread::Builder::new().name(format!("tinker-engine-{i}"));
                builder.spawn(move || shared.serve(i)).ok()
            })
            .collect();
        Self {
            shared,
            members,
            turn: Mutex::new(()),
        }
    }

    /// Number of threads.
    pub(crate) fn size(&self) -> usize {
        self.members.len() + 1
    }

    /// Calls `task` with the thread's number here and on every member that comes before this thread is
    /// done, and returns when all of them are. Whoever is kept from the processor is not waited for.
    fn run(&self, task: &(dyn Fn(usize) + Sync)) {
        let turn = lock(&self.turn);
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes. Members take the reference off the desk under its lock
        // and count themselves in `busy` before they let go of it. Below, whatever `task` does here,
        // the desk is cleared and then `busy` waited for: after that no member has the reference.
        let lent = unsafe {
            std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static (dyn Fn(usize) + Sync)>(task)
        };
        let mut desk = lock(&shared.desk);
        desk.round += 1;
        desk.task = Some(Task(lent));
        shared.round.store(desk.round, Ordering::Release);
        if desk.asleep > 0 {
            shared.wake.notify_all();
        }
        drop(desk);
        let mine = catch_unwind(AssertUnwindSafe(|| task(0)));
        lock(&shared.desk).task = None;
        let mut looks = 0;
        while shared.busy.load(Ordering::Acquire) > 0 {
            looks += 1;
            if looks < LOOKS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        let theirs = shared.panicked.swap(false, Ordering::Relaxed);
        drop(turn);
        if let Err(panic) = mine {
            resume_unwind(panic);
        }
        assert!(!theirs, "an engine thread panicked; its message is above");
    }

    /// Calls `work` with the thread's number for each item, on whichever thread is free.
    pub(crate) fn each<T: Send>(
        &self,
        items: impl IntoIterator<Item = T>,
        work: impl Fn(usize, T) + Sync,
    ) {
        let items: Vec<Mutex<Option<T>>> = items
            .into_iter()
            .map(|item| Mutex::new(Some(item)))
            .collect();
        if items.len() <= 1 || self.members.is_empty() {
            items
                .into_iter()
                .filter_map(|item| lock(&item).take())
                .for_each(|item| work(0, item));
            return;
        }
        let next = AtomicUsize::new(0);
        self.run(&|thread| {
            while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                let taken = lock(item).take();
                if let Some(item) = taken {
                    work(thread, item);
                }
            }
        });
    }
}

/// Who does the parts of one computation. What comes out does not depend on it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hands<'a> {
    /// The caller alone.
    One,
    /// The caller and whoever of the team comes before all is done.
    All(&'a Team),
}

/// Multiply-adds that make it worth while to ask another thread: some microseconds. Tests ask for next to
/// nothing, so that small models are shared too.
const WORTH: usize = if cfg!(test) { 64 } else { 1 << 18 };

impl Hands<'_> {
    /// Into how many parts to cut a number of multiply-adds.
    pub(crate) fn parts(self, work: usize) -> usize {
        match self {
            Self::One => 1,
            Self::All(team) => (work / WORTH).clamp(1, team.size()),
        }
    }

    /// Calls `work` for each item, those in front first.
    pub(crate) fn each<T: Send>(self, items: impl IntoIterator<Item = T>, work: impl Fn(T) + Sync) {
        match self {
            Self::One => items.into_iter().for_each(work),
            Self::All(team) => team.each(items, |_, item| work(item)),
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        lock(&self.shared.desk).closed = true;
        // One more round, for those awake.
        self.shared.round.fetch_add(1, Ordering::Release);
        self.shared.wake.notify_all();
        for member in self.members.drain(..) {
            // A member does not panic: it catches what its tasks do.
            let _ = member.join();
        }
    }
}

impl Shared {
    fn serve(&self, thread: usize) {
        let mut seen = 0;
        loop {
            for _ in 0..LOOKS {
                if self.round.load(Ordering::Acquire) != seen {
                    break;
                }
                std::hint::spin_loop();
            }
            let mut desk = lock(&self.desk);
            while desk.round == seen && !desk.closed {
                desk.asleep += 1;
                desk = self.wake.wait(desk).unwrap_or_else(PoisonError::into_inner);
                desk.asleep -= 1;
            }
            if desk.closed {
                return;
            }
            seen = desk.round;
            let Some(Task(task)) = desk.task else {
                continue;
            };
            self.busy.fetch_add(1, Ordering::Relaxed);
            drop(desk);
            if catch_unwind(AssertUnwindSafe(|| task(thread))).is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
            self.busy.fetch_sub(1, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_is_done_once_however_many_threads() {
        for threads in [1, 2, 5] {
            let team = Team::new(threads);
            assert_eq!(team.size(), threads);
            for round in 0..300 {
                let mut items = vec![0; round % 7];
                team.each(items.iter_mut().enumerate(), |thread, (i, item)| {
                    assert!(thread < threads);
                    *item += i + 1;
                });
                assert!(items.iter().enumerate().all(|(i, item)| *item == i + 1));
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_team_goes_on() {
        let team = Team::new(3);
        for culprit in 0..4 {
            let result = catch_unwind(AssertUnwindSafe(|| {
                team.each(0..4, |_, item| assert_ne!(item, culprit));
            }));
            assert!(result.is_err());
            team.each(0..4, |_, _| ());
        }
    }

    #[test]
    fn members_do_come() {
        let team = Team::new(2);
        for _ in 0..3 {
            // Long enough for the member to fall asleep.
            std::thread::sleep(std::time::Duration::from_millis(5));
            let both = std::sync::Barrier::new(2);
            // Passes only if two threads have an item each.
            team.each(0..2, |_, _| {
                both.wait();
            });
        }
    }
}
