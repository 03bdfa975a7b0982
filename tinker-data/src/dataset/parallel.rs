//! Work on all cores, in order.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Items that a core takes at once.
const PART: usize = 16;

/// Applies a function to all items, on all cores. The results have the order of the items. `progress` receives the
/// number of items that are done, again and again, from any thread.
pub(super) fn map<T: Sync, R: Send>(
    items: &[T],
    apply: impl Fn(&T) -> R + Sync,
    progress: &(dyn Fn(usize) + Sync),
) -> Vec<R> {
    let parts: Vec<&[T]> = items.chunks(PART).collect();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results = Mutex::new(Vec::with_capacity(parts.len()));
    let work = || {
        while let Some((at, part)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, parts.get(at)?)))
        {
            let part: Vec<R> = part.iter().map(&apply).collect();
            let count = part.len();
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.push((at, part));
            drop(results);
            progress(done.fetch_add(count, Ordering::Relaxed) + count);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 1..cores.min(parts.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_unstable_by_key(|(at, _)| *at);
    results.into_iter().flat_map(|(_, part)| part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_have_the_order_of_the_items() {
        let items: Vec<usize> = (0..1000).collect();
        let most = AtomicUsize::new(0);
        let doubled = map(&items, |item| item * 2, &|done| {
            most.fetch_max(done, Ordering::Relaxed);
        });
        assert_eq!(doubled, (0..2000).step_by(2).collect::<Vec<_>>());
        assert_eq!(most.into_inner(), 1000);
        assert!(map(&[], |item: &usize| *item, &|_| ()).is_empty());
    }
}
