//! Learning rate of each step.

use serde::{Deserialize, Serialize};

/// Share of the steps, at the end, over which [`Shape::Trapezoid`] falls.
const DECAY: f64 = 0.5;

/// Course of the learning rate after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Shape {
    /// The peak throughout.
    Constant,
    /// A straight line from the peak to 0.
    Linear,
    /// Half a period of the cosine, from the peak to 0.
    Cosine,
    /// The peak for half of the steps, then a straight line to 0. The default.
    #[default]
    Trapezoid,
}

/// Learning rate as a function of the step.
///
/// ```
/// use tinker_train::{Schedule, Shape};
///
/// let schedule = Schedule::new(1e-3).with_shape(Shape::Cosine).with_warm_up(0);
/// assert_eq!(schedule.rate(0, 100), 1e-3);
/// assert!((schedule.rate(50, 100) - 5e-4).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Schedule {
    /// Largest rate.
    pub peak: f64,
    /// Course after the warm-up.
    pub shape: Shape,
    /// Number of steps over which the rate rises in a straight line, while the moments of Adam settle. The first step has
    /// the rate `peak / (warm_up + 1)`, not 0. Default 5.
    pub warm_up: usize,
}

impl Schedule {
    /// The default course with this peak.
    pub fn new(peak: f64) -> Self {
        Self {
            peak,
            shape: Shape::default(),
            warm_up: 5,
        }
    }

    /// Sets [`Self::shape`].
    #[must_use]
    pub fn with_shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    /// Sets [`Self::warm_up`].
    #[must_use]
    pub fn with_warm_up(mut self, steps: usize) -> Self {
        self.warm_up = steps;
        self
    }

    /// The rate of step `step`, from 0, out of `steps`.
    pub fn rate(&self, step: usize, steps: usize) -> f64 {
        let rise = (step + 1) as f64 / (self.warm_up + 1) as f64;
        let left = steps.saturating_sub(step) as f64;
        // Of the steps after the warm-up.
        let after = steps.saturating_sub(self.warm_up).max(1) as f64;
        let share = step.saturating_sub(self.warm_up) as f64 / after;
        let fall = match self.shape {
            Shape::Constant => 1.0,
            Shape::Linear => 1.0 - share,
            Shape::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * share).cos()),
            Shape::Trapezoid => left / (steps as f64 * DECAY),
        };
        self.peak * rise.min(fall).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: Schedule, steps: usize) -> Vec<f64> {
        (0..steps).map(|step| schedule.rate(step, steps)).collect()
    }

    #[test]
    fn the_default_rate_rises_holds_and_falls() {
        let rates = rates(Schedule::new(1.0), 100);
        assert!(rates[0] > 0.0 && rates[0] < rates[1]);
        assert!((10..50).all(|step| (rates[step] - 1.0).abs() < 1e-12));
        assert!((51..100).all(|step| rates[step] < rates[step - 1] && rates[step] > 0.0));
    }

    /// `torch.optim.lr_scheduler.CosineAnnealingLR(T_max=8)`, `LinearLR(1, 0, total_iters=8)` with a rate of 0.1.
    #[test]
    fn without_warm_up_the_rates_are_those_of_torch() {
        let cosine = [
            0.1,
            0.096_193_976_625_564_34,
            0.085_355_339_059_327_38,
            0.069_134_171_618_254_5,
            0.05,
            0.030_865_828_381_745_515,
            0.014_644_660_940_672_627,
            0.003_806_023_374_435_662_5,
        ];
        let linear = [0.1, 0.0875, 0.075, 0.0625, 0.05, 0.0375, 0.025, 0.0125];
        let plain = Schedule::new(0.1).with_warm_up(0);
        for (shape, expected) in [(Shape::Cosine, cosine), (Shape::Linear, linear)] {
            let found = rates(plain.with_shape(shape), 8);
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-15, "{found} {expected}");
            }
        }
        assert_eq!(rates(plain.with_shape(Shape::Constant), 3), [0.1; 3]);
    }

    #[test]
    fn the_warm_up_comes_before_the_fall() {
        let linear = Schedule::new(1.0).with_shape(Shape::Linear).with_warm_up(4);
        let rates = rates(linear, 10);
        for (found, expected) in rates.iter().zip([0.2, 0.4, 0.6, 0.8, 1.0, 5.0 / 6.0]) {
            assert!((found - expected).abs() < 1e-12, "{rates:?}");
        }
        assert!(rates[9] > 0.0);
    }
}
