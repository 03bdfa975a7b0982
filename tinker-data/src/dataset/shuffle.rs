//! Random orders without a table.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

/// Rounds of the network.
const ROUNDS: u64 = 6;

/// Least bits of a half. With fewer, small numbers would have only some of the possible orders.
const LEAST_BITS: u32 = 4;

/// The numbers below a length, each once, in an order that two numbers determine on every machine. It is computed for each
/// place: it takes no memory and no time in advance.
///
/// ```
/// use tinker_data::Shuffle;
///
/// let shuffle = Shuffle::new(5, 7, 0);
/// let mut numbers: Vec<usize> = shuffle.iter().collect();
/// assert_eq!(shuffle.at(2), numbers[2]);
/// numbers.sort_unstable();
/// assert_eq!(numbers, [0, 1, 2, 3, 4]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Shuffle {
    len: usize,
    /// A Feistel network permutes numbers of two halves of this many bits. What is not below the length is permuted again.
    bits: u32,
    key: (u64, u64),
}

impl Shuffle {
    /// The order of the numbers below `len` with this seed and number.
    pub fn new(len: usize, seed: u64, number: u64) -> Self {
        let bits = usize::BITS - len.saturating_sub(1).leading_zeros();
        Self {
            len,
            bits: bits.div_ceil(2).max(LEAST_BITS),
            key: (seed, number),
        }
    }

    /// The number at a place.
    ///
    /// # Panics
    /// If `place` is not below the length.
    pub fn at(&self, place: usize) -> usize {
        assert!(place < self.len, "{place} of {}", self.len);
        let mut number = place as u64;
        loop {
            number = self.permuted(number);
            if number < self.len as u64 {
                return number as usize;
            }
        }
    }

    /// All numbers.
    pub fn iter(self) -> impl ExactSizeIterator<Item = usize> {
        (0..self.len).map(move |place| self.at(place))
    }

    fn permuted(&self, number: u64) -> u64 {
        let mask = (1 << self.bits) - 1;
        let (mut left, mut right) = (number >> self.bits, number & mask);
        for round in 0..ROUNDS {
            let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
            hasher.write(&(right << 8 | round).to_le_bytes());
            (left, right) = (right, left ^ hasher.finish() & mask);
        }
        left << self.bits | right
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_number_comes_once() {
        for len in [0, 1, 2, 3, 63, 64, 65, 4096, 4097] {
            let mut numbers: Vec<usize> = Shuffle::new(len, 3, 4).iter().collect();
            numbers.sort_unstable();
            assert!(numbers.into_iter().eq(0..len), "{len}");
        }
        let largest = Shuffle::new(usize::MAX, 0, 0);
        assert_ne!(largest.at(0), largest.at(usize::MAX - 1));
    }

    /// Numbers of another implementation, in Python.
    #[test]
    fn the_order_does_not_change_between_versions() {
        let numbers = |len, seed, number| -> Vec<usize> {
            Shuffle::new(len, seed, number).iter().take(10).collect()
        };
        assert_eq!(numbers(10, 7, 0), [4, 9, 5, 6, 7, 1, 8, 0, 3, 2]);
        assert_eq!(numbers(10, 7, 1), [0, 3, 6, 2, 9, 4, 1, 7, 8, 5]);
        assert_eq!(numbers(10, 8, 0), [6, 9, 2, 3, 5, 8, 0, 4, 1, 7]);
        assert_eq!(numbers(5000, 7, 0)[..4], [4423, 3838, 2593, 1933]);
    }

    #[test]
    fn all_orders_are_about_equally_frequent() {
        let mut counts: BTreeMap<Vec<usize>, u32> = BTreeMap::new();
        for seed in 0..2400 {
            let order = Shuffle::new(4, seed / 100, seed % 100).iter().collect();
            *counts.entry(order).or_default() += 1;
        }
        assert_eq!(counts.len(), 24);
        // The standard deviation is 10.
        let is_usual = |count: &u32| (50..150).contains(count);
        assert!(counts.values().all(is_usual), "{counts:?}");
    }

    #[test]
    fn neighbours_are_torn_apart() {
        let len = 20_000;
        let numbers: Vec<usize> = Shuffle::new(len, 1, 0).iter().collect();
        let distances = numbers.windows(2).map(|pair| pair[0].abs_diff(pair[1]));
        // A third of the length for independent numbers.
        let mean = distances.sum::<usize>() as f64 / (len - 1) as f64;
        assert!((mean / len as f64 - 1.0 / 3.0).abs() < 0.02, "{mean}");
        let halves = numbers[..len / 2]
            .iter()
            .filter(|number| **number < len / 2);
        let below = halves.count() as f64 / len as f64;
        assert!((below - 0.25).abs() < 0.02, "{below}");
    }
}
