//! A bounded set of recent keys.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

/// The last inserted keys, up to a capacity.
#[derive(Debug)]
pub(crate) struct Recent<K> {
    order: VecDeque<K>,
    known: HashSet<K>,
    capacity: usize,
}

impl<K: Hash + Eq + Clone> Recent<K> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            order: VecDeque::new(),
            known: HashSet::new(),
            capacity,
        }
    }

    pub(crate) fn insert(&mut self, key: K) {
        if !self.known.insert(key.clone()) {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.known.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_oldest() {
        let mut recent = Recent::new(2);
        for key in [1, 2, 2, 3] {
            recent.insert(key);
        }
        assert_eq!(
            [1, 2, 3].map(|key| recent.contains(&key)),
            [false, true, true]
        );
    }
}
