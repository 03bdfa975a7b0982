//! Training and held-out lines of a task.

/// The lines of a task: for training, and held out.
pub(super) struct Split<T> {
    pub(super) train: Vec<T>,
    pub(super) held_out: Vec<T>,
}

/// A request and its answer.
pub(super) type Pair = (String, String);
