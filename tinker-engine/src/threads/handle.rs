//! Handle that runs the parts of one computation on the caller's thread or on a pool.

use super::pool::ThreadPool;

/// Threads for the parts of one computation. Results do not depend on the choice.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PoolHandle<'a> {
    /// The caller's thread alone.
    Caller,
    /// The caller's thread and every worker of the pool that wakes before all is done.
    Pool(&'a ThreadPool),
}

/// Multiply-adds from which another thread pays off: some microseconds. Tests use a tiny bound, so that small models
/// are shared among threads as well.
const MIN_WORK: usize = if cfg!(test) { 64 } else { 1 << 18 };

impl PoolHandle<'_> {
    /// Number of parts to cut this many multiply-adds into.
    pub(crate) fn parts(self, work: usize) -> usize {
        match self {
            Self::Caller => 1,
            Self::Pool(pool) => (work / MIN_WORK).clamp(1, pool.size()),
        }
    }

    /// Calls `work` for each item, those in front first.
    pub(crate) fn each<T: Send>(self, items: impl IntoIterator<Item = T>, work: impl Fn(T) + Sync) {
        match self {
            Self::Caller => items.into_iter().for_each(work),
            Self::Pool(pool) => pool.each(items, |_, item| work(item)),
        }
    }
}
