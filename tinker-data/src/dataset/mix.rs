//! Mixtures of several data files.

use std::ops::Range;

use super::index::Index;
use super::shuffle::Shuffle;

/// The rows that a mixture takes of one file.
#[derive(Debug)]
struct Part {
    rows: Range<usize>,
    /// Number of times that each row is taken.
    copies: usize,
    /// Number of rows that are taken once more.
    rest: usize,
    order: Shuffle,
}

impl Index {
    /// Numbers of the rows of a mixture of the files, in an order that the seed determines; [`Self::select`] applies it.
    /// Rows must not be selected before.
    ///
    /// A weight is the number of times that each row of a file is taken: 2 takes every row twice, 0.5 a random half of
    /// the rows, 1.5 every row once and a random half again. Weights that are missing, negative or not finite count as 0.
    ///
    /// ```
    /// use tinker_data::{Index, ReadOptions};
    ///
    /// let mut index = Index::new(ReadOptions::new());
    /// index.add_source("math.jsonl", &br#"{"text": "1 + 1 = 2"}"#[..])?;
    /// index.add_source("prose.jsonl", &br#"{"text": "Once upon a time"}"#[..])?;
    /// index.select(index.mixed(&[3.0, 1.0], 0))?;
    /// assert_eq!(index.len(), 4);
    /// # Ok::<(), tinker_data::DatasetError>(())
    /// ```
    pub fn mixed(&self, weights: &[f64], seed: u64) -> impl Iterator<Item = usize> + use<> {
        let parts = self.parts().into_iter().zip(weights).enumerate();
        let parts = parts.map(|(at, (rows, weight))| Part::new(rows, *weight, (seed, at as u64)));
        mixed(parts.collect(), seed)
    }
}

/// Row numbers of all parts, shuffled.
fn mixed(parts: Vec<Part>, seed: u64) -> impl Iterator<Item = usize> {
    let len = parts.iter().map(Part::len).sum();
    let row = move |mut place: usize| {
        for part in &parts {
            if place < part.len() {
                return Some(part.row(place));
            }
            place -= part.len();
        }
        None
    };
    Shuffle::new(len, seed, 0).iter().filter_map(row)
}

impl Part {
    fn new(rows: Range<usize>, weight: f64, (seed, at): (u64, u64)) -> Self {
        let weight = if weight.is_finite() {
            weight.max(0.0)
        } else {
            0.0
        };
        Self {
            copies: weight.floor() as usize,
            rest: (rows.len() as f64 * weight.fract()).round() as usize,
            order: Shuffle::new(rows.len(), seed, at + 1),
            rows,
        }
    }

    fn len(&self) -> usize {
        self.copies * self.rows.len() + self.rest
    }

    fn row(&self, place: usize) -> usize {
        let whole = self.copies * self.rows.len();
        self.rows.start
            + match place.checked_sub(whole) {
                None => place % self.rows.len(),
                Some(place) => self.order.at(place),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_numbers_of_copies() {
        let counts = |weight: f64| {
            let parts = [(0..5, 1.0), (5..15, weight)].into_iter();
            let parts = parts.map(|(rows, weight)| Part::new(rows, weight, (3, 9)));
            let mut counts = [0; 15];
            for row in mixed(parts.collect(), 4) {
                counts[row] += 1;
            }
            assert_eq!(counts[..5], [1; 5]);
            counts[5..].to_vec()
        };
        assert_eq!(counts(2.0), [2; 10]);
        assert_eq!(counts(0.0), [0; 10]);
        assert_eq!(counts(-1.0), [0; 10]);
        assert_eq!(counts(f64::INFINITY), [0; 10]);
        let some = counts(1.3);
        assert_eq!(some.iter().sum::<i32>(), 13);
        assert!(some.iter().all(|count| [1, 2].contains(count)));
    }
}
