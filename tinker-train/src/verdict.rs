//! Judgement of a run by its rows: the best evaluation, early stopping, exploding gradients.

use crate::row::StepRow;
use crate::settings::Settings;

/// A gradient norm this many times the mean of those before is pointed out.
const EXPLODING: f64 = 20.0;
/// Largest healthy divergence of sampler and trainer, half the mean square per token.
const DRIFT: f64 = 0.01;
/// Share of the first entropy below which it has collapsed.
const COLLAPSED: f64 = 0.1;
/// A reward below this is not that of a run that has learned its task.
const LOW: f64 = 0.5;
/// Number of steps before gradient norms are judged.
const SETTLED: usize = 10;

/// Judgement on the rows so far. It is a function of the rows, so that a continued run judges as an uninterrupted one.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// The best value and its step.
    pub(crate) best: Option<(f64, usize)>,
    /// Evaluations since then.
    without_improvement: usize,
    /// Whether the run is to stop.
    pub(crate) stops: bool,
    norms: (usize, f64),
    /// The notes that were given.
    given: Vec<Note>,
    first_entropy: Option<f64>,
}

/// A note that is given once in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Note {
    Exploding,
    Drift,
    Collapsed,
    EqualRewards,
}

impl Verdict {
    /// Adds a row. Returns a note for the user.
    pub(crate) fn add(&mut self, row: &StepRow, settings: &Settings) -> Option<String> {
        if let Some(best) = &settings.best
            && let Some(value) = row.metric(&best.metric)
        {
            let least = settings
                .patience
                .map_or(0.0, |patience| patience.least_change);
            let gain = |(known, _): (f64, usize)| {
                if best.larger {
                    value - known
                } else {
                    known - value
                }
            };
            if self.best.is_none_or(|known| gain(known) > least) {
                self.best = Some((value, row.number));
                self.without_improvement = 0;
            } else {
                self.without_improvement += 1;
            }
            self.stops = settings.patience.is_some_and(|patience| {
                self.without_improvement >= patience.evaluations && row.number > patience.warm_up
            });
        }
        self.exploding(row).or_else(|| self.sampling(row))
    }

    /// Points out, once each, what spoils reinforcement learning.
    fn sampling(&mut self, row: &StepRow) -> Option<String> {
        let step = row.number;
        let metric = |name| row.metric(name);
        if let Some(drift) = metric("kl_sampler_v2").filter(|drift| *drift > DRIFT)
            && self.is_first(Note::Drift)
        {
            return Some(format!(
                "step {step}: sampler and trainer differ by {drift:.4} nats a token, more than {DRIFT}; runs become unstable \
                 there, so check that both have the same weights and precision"
            ));
        }
        let entropy = metric("entropy")?;
        let first = *self.first_entropy.get_or_insert(entropy);
        let reward = metric("reward").unwrap_or_default();
        if entropy < COLLAPSED * first && reward < LOW && self.is_first(Note::Collapsed) {
            return Some(format!(
                "step {step}: the entropy of the answers fell from {first:.3} to {entropy:.3} nats a token, with a reward of \
                 {reward:.2}; the model no longer tries other answers, so use a lower learning rate or --kl"
            ));
        }
        let all_equal = metric("groups_dropped")? >= metric("groups")?;
        if all_equal && reward < LOW && self.is_first(Note::EqualRewards) {
            return Some(format!(
                "step {step}: all answers to each prompt have the same reward, so nothing is learned; if that persists, use \
                 easier problems, larger groups, or a warm-up by supervised training"
            ));
        }
        None
    }

    /// Whether a note was not given before. From now on it was.
    fn is_first(&mut self, note: Note) -> bool {
        let is_first = !self.given.contains(&note);
        if is_first {
            self.given.push(note);
        }
        is_first
    }

    fn exploding(&mut self, row: &StepRow) -> Option<String> {
        let norm = row.grad_norm?;
        let (count, sum) = self.norms;
        self.norms = (count + 1, sum + norm);
        let mean = sum / count.max(1) as f64;
        if count < SETTLED || norm <= EXPLODING * mean || !self.is_first(Note::Exploding) {
            return None;
        }
        Some(format!(
            "step {}: the gradient norm is {norm:.3}, {:.0} times the mean of the steps before; if the loss rises, use a \
             lower learning rate or clip gradients",
            row.number,
            norm / mean
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Best, Patience};

    fn settings() -> Settings {
        let mut settings = Settings::new(100, 1e-3);
        settings.best = Some(Best {
            metric: "accuracy".to_owned(),
            larger: true,
        });
        settings.patience = Some(Patience {
            evaluations: 2,
            least_change: 0.01,
            warm_up: 3,
        });
        settings
    }

    fn row(number: usize, accuracy: f64) -> StepRow {
        let mut row = StepRow::new(number);
        row.metrics.insert("accuracy".to_owned(), accuracy);
        row
    }

    #[test]
    fn patience_counts_evaluations_without_an_improvement() {
        let (settings, mut verdict) = (settings(), Verdict::default());
        let mut stops = Vec::new();
        for (number, accuracy) in [(1, 0.5), (2, 0.505), (3, 0.4), (4, 0.6), (5, 0.6), (6, 0.5)] {
            verdict.add(&row(number, accuracy), &settings);
            stops.push(verdict.stops);
        }
        assert_eq!(stops, [false, false, false, false, false, true]);
        assert_eq!(verdict.best, Some((0.6, 4)));
    }

    #[test]
    fn drift_collapse_and_equal_rewards_are_pointed_out_once() {
        let (settings, mut verdict) = (settings(), Verdict::default());
        let mut notes = Vec::new();
        for number in 1..=9 {
            let mut row = StepRow::new(number);
            let late = number > 3;
            for (name, value) in [
                ("reward", 0.1),
                ("entropy", if late { 0.01 } else { 1.0 }),
                ("groups", 4.0),
                ("groups_dropped", if late { 4.0 } else { 3.0 }),
                ("kl_sampler_v2", if number == 3 { 0.02 } else { 0.001 }),
            ] {
                row.metrics.insert(name.to_owned(), value);
            }
            notes.extend(verdict.add(&row, &settings));
        }
        let starts = [
            "step 3: sampler and trainer differ",
            "step 4: the entropy",
            "step 5: all answers",
        ];
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert!(
            notes
                .iter()
                .zip(starts)
                .all(|(note, start)| note.starts_with(start)),
            "{notes:?}"
        );
    }

    #[test]
    fn an_exploding_norm_is_pointed_out_once() {
        let (settings, mut verdict) = (settings(), Verdict::default());
        let mut notes = Vec::new();
        for number in 1..30 {
            let mut row = StepRow::new(number);
            row.grad_norm = Some(if number % 15 == 0 { 500.0 } else { 1.0 });
            notes.extend(verdict.add(&row, &settings));
        }
        assert_eq!(notes.len(), 1);
        assert!(notes[0].starts_with("step 15: the gradient norm is 500.000, 500 times"));
    }
}
