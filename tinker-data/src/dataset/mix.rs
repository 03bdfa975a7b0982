//! Mixtures of several data files.

use super::index::Index;

impl Index {
    /// Numbers of the rows of a mixture of the files, in an order that the seed determines; [`Self::select`] applies it.
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
    /// index.select(&index.mixed(&[3.0, 1.0], 0));
    /// assert_eq!(index.len(), 4);
    /// # Ok::<(), tinker_data::DatasetError>(())
    /// ```
    pub fn mixed(&self, weights: &[f64], seed: u64) -> Vec<usize> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut mixture = Vec::new();
        for (part, weight) in self.parts().into_iter().zip(weights) {
            let taken = taken(part.len(), *weight, &mut random);
            mixture.extend(taken.into_iter().map(|at| part.start + at));
        }
        random.shuffle(&mut mixture);
        mixture
    }
}

/// Indices of the rows that a weight takes.
fn taken(rows: usize, weight: f64, random: &mut fastrand::Rng) -> Vec<usize> {
    let weight = if weight.is_finite() {
        weight.max(0.0)
    } else {
        0.0
    };
    let whole = weight.floor() as usize;
    let mut indices: Vec<usize> = (0..whole).flat_map(|_| 0..rows).collect();
    let rest = (rows as f64 * weight.fract()).round() as usize;
    let mut order: Vec<usize> = (0..rows).collect();
    random.shuffle(&mut order);
    indices.extend(order.into_iter().take(rest));
    indices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_numbers_of_copies() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut count = |weight: f64| {
            let mut counts = [0; 10];
            for at in taken(10, weight, &mut random) {
                counts[at] += 1;
            }
            counts
        };
        assert_eq!(count(2.0), [2; 10]);
        assert_eq!(count(0.0), [0; 10]);
        assert_eq!(count(-1.0), [0; 10]);
        assert_eq!(count(f64::INFINITY), [0; 10]);
        let counts = count(1.3);
        assert_eq!(counts.iter().sum::<i32>(), 13);
        assert!(counts.iter().all(|count| [1, 2].contains(count)));
    }
}
