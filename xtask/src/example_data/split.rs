//! A task's lines, parted.

/// A task's lines: to train on, and held out.
pub(super) struct Split<T> {
    pub(super) train: Vec<T>,
    pub(super) held_out: Vec<T>,
}

/// A request and its answer.
pub(super) type Pair = (String, String);
