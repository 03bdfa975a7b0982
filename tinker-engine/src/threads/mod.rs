//! Threads: a pool that stays between calls, and a handle to it.

mod handle;
mod pool;

pub(crate) use handle::PoolHandle;
pub(crate) use pool::ThreadPool;
