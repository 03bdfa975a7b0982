//! Order of the examples.

use tinker_data::Shuffle;

/// Indices of the examples of each batch, as a pure function of the seed and the number of the batch: epochs, each
/// shuffled anew, are concatenated and cut into batches. Takes no memory, see [`Shuffle`].
///
/// ```
/// use tinker_train::Order;
///
/// let order = Order::new(10, 4, 7);
/// let later = order.batch(100);
/// assert_eq!(later, Order::new(10, 4, 7).batch(100));
/// ```
#[derive(Debug)]
pub struct Order {
    examples: usize,
    batch_size: usize,
    seed: u64,
}

impl Order {
    /// Number of the order and of the split that this version makes. A run of another one would go on with other batches.
    pub const VERSION: u32 = 2;

    /// Batches of `batch_size` out of `examples`; both are at least 1.
    pub fn new(examples: usize, batch_size: usize, seed: u64) -> Self {
        Self {
            examples: examples.max(1),
            batch_size: batch_size.max(1),
            seed,
        }
    }

    /// Number of examples in a batch.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Indices of a batch, counted from 0.
    pub fn batch(&self, number: usize) -> Vec<usize> {
        let start = number * self.batch_size;
        let index = |at: usize| {
            let epoch = (at / self.examples) as u64;
            Shuffle::new(self.examples, self.seed, epoch).at(at % self.examples)
        };
        (start..start + self.batch_size).map(index).collect()
    }

    /// Indices of the examples of the first `batches` batches, each once, in increasing order.
    pub fn used(&self, batches: usize) -> Vec<usize> {
        // An epoch has each example.
        if batches.saturating_mul(self.batch_size) >= self.examples {
            return (0..self.examples).collect();
        }
        let mut used: Vec<usize> = (0..batches).flat_map(|batch| self.batch(batch)).collect();
        used.sort_unstable();
        used
    }
}

/// Number of steps for `epochs` passes over `examples`, at least 1.
pub fn steps(examples: usize, batch_size: usize, epochs: f64) -> usize {
    ((examples as f64 * epochs / batch_size as f64).ceil() as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(seed: u64) -> Vec<Vec<usize>> {
        let order = Order::new(100, 8, seed);
        (0..30).map(|batch| order.batch(batch)).collect()
    }

    #[test]
    fn every_epoch_has_each_example_once_in_another_order() {
        let batches = Order::new(10, 4, 7);
        let indices: Vec<usize> = (0..5).flat_map(|batch| batches.batch(batch)).collect();
        let sorted = |part: &[usize]| {
            let mut part = part.to_vec();
            part.sort_unstable();
            part
        };
        let all: Vec<usize> = (0..10).collect();
        assert_eq!(sorted(&indices[..10]), all);
        assert_eq!(sorted(&indices[10..]), all);
        assert_ne!(indices[..10], indices[10..]);
    }

    #[test]
    fn used_examples_are_those_of_the_batches() {
        let order = Order::new(10, 3, 7);
        let mut expected: Vec<usize> = (0..2).flat_map(|batch| order.batch(batch)).collect();
        expected.sort_unstable();
        assert_eq!(order.used(2), expected);
        assert_eq!(order.used(4), (0..10).collect::<Vec<_>>());
        assert!(order.used(0).is_empty());
    }

    #[test]
    fn the_seed_fixes_the_order() {
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }

    #[test]
    fn a_batch_does_not_depend_on_those_before() {
        let (all, jumping) = (order(3), Order::new(100, 8, 3));
        for batch in [29, 2, 13, 14, 0, 28] {
            assert_eq!(jumping.batch(batch), all[batch], "batch {batch}");
        }
    }

    #[test]
    fn epochs_become_steps() {
        assert_eq!(steps(2400, 32, 1.0), 75);
        assert_eq!(steps(33, 32, 1.0), 2);
        assert_eq!(steps(10, 32, 0.1), 1);
    }
}
