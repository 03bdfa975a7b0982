//! Thread pool. Starting a thread costs as much as generating a token of a small model, so threads are started once and
//! spin for a moment before they sleep.
#![expect(
    unsafe_code,
    reason = "a task borrows from its caller, which a thread's type cannot express"
)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Spin iterations before a thread sleeps, about 50 microseconds: longer than the gap between two steps of a generation.
const SPIN_ITERATIONS: usize = 2000;

/// A fixed number of threads, including the caller's.
#[derive(Debug)]
pub(crate) struct ThreadPool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held while a task runs: one task at a time.
    running: Mutex<()>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Number of the current task, read by spinning workers.
    round: AtomicUsize,
    /// Workers that run it.
    busy: AtomicUsize,
    panicked: AtomicBool,
    slot: Mutex<TaskSlot>,
    wake: Condvar,
}

/// The task that workers take next.
#[derive(Debug, Default)]
struct TaskSlot {
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

impl ThreadPool {
    /// A pool of `threads`, at least the caller's. It has fewer if the system refuses to start that many.
    pub(crate) fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let workers = (1..threads)
            .map_while(|i| {
                let shared = Arc::clone(&shared);
                let builder = std::thread::Builder::new().name(format!("tinker-engine-{i}"));
                builder.spawn(move || shared.serve(i)).ok()
            })
            .collect();
        Self {
            shared,
            workers,
            running: Mutex::new(()),
        }
    }

    /// Number of threads.
    pub(crate) fn size(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `task` with the thread's number on this thread and on every worker that wakes before this thread is done,
    /// and returns when all of them are done. Workers that have not woken by then are not waited for.
    fn run(&self, task: &(dyn Fn(usize) + Sync)) {
        let running = lock(&self.running);
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes. Workers copy the reference out of the slot under its lock and increment
        // `busy` before they release the lock. Below, whatever `task` does here, the slot is cleared and `busy` is
        // waited for: after that no worker has the reference.
        let lent = unsafe {
            std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static (dyn Fn(usize) + Sync)>(task)
        };
        let mut slot = lock(&shared.slot);
        slot.round += 1;
        slot.task = Some(Task(lent));
        shared.round.store(slot.round, Ordering::Release);
        if slot.asleep > 0 {
            shared.wake.notify_all();
        }
        drop(slot);
        let mine = catch_unwind(AssertUnwindSafe(|| task(0)));
        lock(&shared.slot).task = None;
        let mut spins = 0;
        while shared.busy.load(Ordering::Acquire) > 0 {
            spins += 1;
            if spins < SPIN_ITERATIONS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        let theirs = shared.panicked.swap(false, Ordering::Relaxed);
        drop(running);
        if let Err(panic) = mine {
            resume_unwind(panic);
        }
        assert!(!theirs, "an engine thread panicked; its message is above");
    }

    /// Calls `work` with the thread's number for each item, on whichever thread is free, items in front first.
    pub(crate) fn each<T: Send>(
        &self,
        items: impl IntoIterator<Item = T>,
        work: impl Fn(usize, T) + Sync,
    ) {
        let items: Vec<Mutex<Option<T>>> = items
            .into_iter()
            .map(|item| Mutex::new(Some(item)))
            .collect();
        if items.len() <= 1 || self.workers.is_empty() {
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

impl Drop for ThreadPool {
    fn drop(&mut self) {
        lock(&self.shared.slot).closed = true;
        // Ends the spinning of workers that are awake.
        self.shared.round.fetch_add(1, Ordering::Release);
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // A worker does not panic: it catches the panics of its tasks.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn serve(&self, thread: usize) {
        let mut seen = 0;
        loop {
            for _ in 0..SPIN_ITERATIONS {
                if self.round.load(Ordering::Acquire) != seen {
                    break;
                }
                std::hint::spin_loop();
            }
            let mut slot = lock(&self.slot);
            while slot.round == seen && !slot.closed {
                slot.asleep += 1;
                slot = self.wake.wait(slot).unwrap_or_else(PoisonError::into_inner);
                slot.asleep -= 1;
            }
            if slot.closed {
                return;
            }
            seen = slot.round;
            let Some(Task(task)) = slot.task else {
                continue;
            };
            self.busy.fetch_add(1, Ordering::Relaxed);
            drop(slot);
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
            let pool = ThreadPool::new(threads);
            assert_eq!(pool.size(), threads);
            for round in 0..300 {
                let mut items = vec![0; round % 7];
                pool.each(items.iter_mut().enumerate(), |thread, (i, item)| {
                    assert!(thread < threads);
                    *item += i + 1;
                });
                assert!(items.iter().enumerate().all(|(i, item)| *item == i + 1));
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let pool = ThreadPool::new(3);
        for culprit in 0..4 {
            let result = catch_unwind(AssertUnwindSafe(|| {
                pool.each(0..4, |_, item| assert_ne!(item, culprit));
            }));
            assert!(result.is_err());
            pool.each(0..4, |_, _| ());
        }
    }

    #[test]
    fn workers_do_come() {
        let pool = ThreadPool::new(2);
        for _ in 0..3 {
            // Long enough for the worker to fall asleep.
            std::thread::sleep(std::time::Duration::from_millis(5));
            let both = std::sync::Barrier::new(2);
            // Passes only if two threads have an item each.
            pool.each(0..2, |_, _| {
                both.wait();
            });
        }
    }
}
