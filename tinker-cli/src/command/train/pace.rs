//! Pace of the training: smoothed loss, speed and time left.

use std::time::Duration;

use tinker_train::StepRow;

use crate::format;

/// Weight of the previous value in the smoothed loss.
const KEEP: f64 = 0.9;

/// Running statistics over the steps of a run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    smoothed: f64,
    weight: f64,
    steps: usize,
    tokens: usize,
    seconds: f64,
}

impl Pace {
    /// Adds a finished step.
    pub(crate) fn add(&mut self, step: &StepRow) {
        if let Some(loss) = step.loss {
            self.smoothed = KEEP * self.smoothed + (1.0 - KEEP) * loss;
            self.weight = KEEP * self.weight + (1.0 - KEEP);
        }
        self.steps += 1;
        self.tokens += step.tokens;
        self.seconds = step.seconds;
    }

    /// Exponential moving average of the loss, corrected for its start at 0; `None` if no step has a loss.
    pub(crate) fn loss(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.smoothed / self.weight)
    }

    fn shown_loss(&self) -> String {
        self.loss().map_or_else(|| "-".to_owned(), format::loss)
    }

    /// Tokens per second since the start.
    pub(crate) fn tokens_per_second(&self) -> f64 {
        self.tokens as f64 / self.seconds.max(1e-9)
    }

    /// Number of tokens so far.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
    }

    /// Seconds so far.
    pub(crate) fn seconds(&self) -> f64 {
        self.seconds
    }

    /// One line for people after a run of `steps` steps.
    pub(crate) fn describe_whole(&self, steps: usize) -> String {
        format!(
            "{} in {}, {} tokens/s, loss {}",
            format::count(steps, "step"),
            format::duration(Duration::from_secs_f64(self.seconds)),
            format::number(self.tokens_per_second() as u64),
            self.shown_loss(),
        )
    }

    /// Estimated time of `steps` more steps.
    pub(crate) fn time_for(&self, steps: usize) -> Duration {
        Duration::from_secs_f64(self.seconds / self.steps.max(1) as f64 * steps as f64)
    }

    /// One line for people with `left` steps to go.
    pub(crate) fn describe(&self, left: usize) -> String {
        format!(
            "loss {}  {} tokens/s  {} left",
            self.shown_loss(),
            format::number(self.tokens_per_second() as u64),
            format::duration(self.time_for(left)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: usize, loss: impl Into<Option<f64>>) -> StepRow {
        let mut row = StepRow::new(step);
        (row.tokens, row.learned_tokens) = (1000, 500);
        (row.loss, row.seconds) = (loss.into(), step as f64 * 0.5);
        row
    }

    #[test]
    fn a_level_loss_stays_level_from_the_first_step() {
        let mut pace = Pace::default();
        for number in 1..=5 {
            pace.add(&step(number, 2.0));
            assert!((pace.loss().unwrap() - 2.0).abs() < 1e-12);
        }
        assert_eq!(pace.describe(10), "loss 2.000  2,000 tokens/s  5.0 s left");
    }

    #[test]
    fn late_steps_weigh_more() {
        let mut pace = Pace::default();
        for number in 1..=50 {
            pace.add(&step(number, if number < 30 { 2.0 } else { 1.0 }));
        }
        let loss = pace.loss().unwrap();
        assert!(loss > 1.0 && loss < 1.2);
    }

    #[test]
    fn steps_without_a_loss_are_shown_without_one() {
        let mut pace = Pace::default();
        pace.add(&step(1, None));
        assert_eq!(pace.describe(10), "loss -  2,000 tokens/s  5.0 s left");
        pace.add(&step(2, 2.0));
        assert!(pace.describe(10).starts_with("loss 2.000 "));
    }
}
