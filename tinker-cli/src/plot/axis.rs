//! Axes: a range with round tick marks.

/// Range of an axis and its tick marks, in increasing order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<f64>,
    decimals: usize,
}

impl Axis {
    /// An axis over `low..=high` with about `count` marks at multiples of 1, 2 or 5 times a power of ten.
    pub(super) fn new(low: f64, high: f64, count: usize) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self::marked(low, high, round_step((high - low) / count.max(1) as f64))
    }

    /// The same for counts: all marks are integers.
    pub(super) fn counting(low: f64, high: f64, count: usize) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        let step = round_step((high - low) / count.max(1) as f64);
        Self::marked(low, high, step.max(1.0))
    }

    fn marked(low: f64, high: f64, step: f64) -> Self {
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        let ticks = (first..=last).map(|n| n as f64 * step).collect();
        let decimals = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
        Self {
            low,
            high,
            ticks,
            decimals,
        }
    }

    /// The same with the range extended to the next marks.
    pub(super) fn rounded(low: f64, high: f64, count: usize) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        let step = round_step((high - low) / count.max(1) as f64);
        Self::new(
            (low / step).floor() * step,
            (high / step).ceil() * step,
            count,
        )
    }

    /// Relative position of a value, from 0 at the low end to 1 at the high end.
    pub(super) fn share(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Label of a mark.
    pub(super) fn label(&self, tick: f64) -> String {
        format!("{tick:.*}", self.decimals)
    }
}

/// The smallest of 1, 2, 5, 10, 20 ... (times powers of ten) that is at least `rough`.
fn round_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|factor| factor * power >= rough * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round() {
        let labels = |low, high| {
            let axis = Axis::new(low, high, 4);
            axis.ticks
                .iter()
                .map(|&tick| axis.label(tick))
                .collect::<Vec<_>>()
        };
        assert_eq!(labels(0.0, 3.1), ["0", "1", "2", "3"]);
        assert_eq!(labels(0.0, 0.9), ["0.0", "0.5"]);
        assert_eq!(labels(1.0, 225.0), ["100", "200"]);
        assert_eq!(labels(1.0, 3.0), ["1.0", "1.5", "2.0", "2.5", "3.0"]);
        assert_eq!(Axis::counting(1.0, 3.0, 4).ticks, [1.0, 2.0, 3.0]);
        assert_eq!(
            labels(0.0, 0.004),
            ["0.000", "0.001", "0.002", "0.003", "0.004"]
        );
    }

    #[test]
    fn a_range_without_extent_is_shown_all_the_same() {
        let axis = Axis::rounded(2.0, 2.0, 4);
        assert!(axis.low <= 2.0 && axis.high > 2.0 && axis.ticks.len() > 1);
    }
}
