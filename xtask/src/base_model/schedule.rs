//! Learning rate schedule.

/// Share of the run with a rising rate.
const WARM_UP: f64 = 0.02;

/// Linear warm-up, then half a cosine down to zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    pub(super) peak: f64,
}

impl Schedule {
    /// The rate after the share `done` of the run, from 0 to 1.
    pub(super) fn at(self, done: f64) -> f64 {
        let done = done.clamp(0.0, 1.0);
        if done < WARM_UP {
            return self.peak * (done / WARM_UP).max(0.01);
        }
        let falling = (done - WARM_UP) / (1.0 - WARM_UP);
        self.peak * 0.5 * (1.0 + (std::f64::consts::PI * falling).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_then_falls_to_zero() {
        let schedule = Schedule { peak: 2.0 };
        assert!(schedule.at(0.0) < schedule.at(0.01));
        assert!((schedule.at(WARM_UP) - 2.0).abs() < 1e-9);
        assert!(schedule.at(0.9) < schedule.at(0.5));
        assert!(schedule.at(1.0).abs() < 1e-9);
    }
}
