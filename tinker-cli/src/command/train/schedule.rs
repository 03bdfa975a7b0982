//! Schedule: the examples of each step, and its learning rate.

use fastrand::Rng;

/// Number of steps over which the learning rate rises from near 0, while the moments of Adam settle.
const WARM_UP: usize = 5;
/// Share of the steps, at the end, over which the learning rate falls to near 0.
const DECAY: f64 = 0.5;

/// Batches of example indices: epochs, each shuffled anew, are concatenated and cut into batches. The same seed gives
/// the same order.
#[derive(Debug)]
pub(crate) struct Batches {
    examples: usize,
    batch_size: usize,
    rng: Rng,
    epoch: std::vec::IntoIter<usize>,
}

impl Batches {
    /// Batches of `batch_size` out of `examples` examples, at least 1 each.
    pub(crate) fn new(examples: usize, batch_size: usize, seed: u64) -> Self {
        Self {
            examples,
            batch_size,
            rng: Rng::with_seed(seed),
            epoch: Vec::new().into_iter(),
        }
    }

    fn index(&mut self) -> Option<usize> {
        if self.epoch.len() == 0 {
            let mut order: Vec<usize> = (0..self.examples).collect();
            self.rng.shuffle(&mut order);
            self.epoch = order.into_iter();
        }
        self.epoch.next()
    }
}

impl Iterator for Batches {
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Vec<usize>> {
        (0..self.batch_size).map(|_| self.index()).collect()
    }
}

/// Number of steps for `epochs` passes over `examples`.
pub(crate) fn steps(examples: usize, batch_size: usize, epochs: f64) -> usize {
    ((examples as f64 * epochs / batch_size as f64).ceil() as usize).max(1)
}

/// Learning rate of step `step` (from 0) out of `steps`: a short warm-up, a constant phase, a linear decay.
pub(crate) fn learning_rate(peak: f64, step: usize, steps: usize) -> f64 {
    let rise = (step + 1) as f64 / (WARM_UP + 1) as f64;
    let fall = (steps.saturating_sub(step)) as f64 / (steps as f64 * DECAY);
    peak * rise.min(fall).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_has_each_example_once_in_another_order() {
        let indices: Vec<usize> = Batches::new(10, 4, 7).take(5).flatten().collect();
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
    fn the_seed_fixes_the_order() {
        let order = |seed| Batches::new(100, 8, seed).take(30).collect::<Vec<_>>();
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }

    #[test]
    fn epochs_become_steps() {
        assert_eq!(steps(2400, 32, 1.0), 75);
        assert_eq!(steps(33, 32, 1.0), 2);
        assert_eq!(steps(10, 32, 0.1), 1);
    }

    #[test]
    fn the_rate_rises_holds_and_falls() {
        let rates: Vec<f64> = (0..100).map(|step| learning_rate(1.0, step, 100)).collect();
        assert!(rates[0] > 0.0 && rates[0] < rates[1]);
        assert!((10..50).all(|step| (rates[step] - 1.0).abs() < 1e-12));
        assert!((51..100).all(|step| rates[step] < rates[step - 1] && rates[step] > 0.0));
    }
}
