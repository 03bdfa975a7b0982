//! Division of the engine's time between training and sampling.

use std::time::Duration;

/// The next kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// One training operation.
    Train,
    /// One step of all samples.
    Sample,
}

/// Each kind gets half of the time while both have work, and all of it otherwise: the time that one took is owed to the
/// other as long as the other has work. An operation that arrives while sampling is owed nothing starts at once.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// One of the two is zero.
    owed_to_sampling: Duration,
    owed_to_training: Duration,
}

impl Share {
    /// Chooses the next kind of work among those that have any.
    pub(super) fn next(&mut self, training: bool, sampling: bool) -> Option<Next> {
        // Time is not saved up for a kind without work.
        if !sampling {
            self.owed_to_sampling = Duration::ZERO;
        }
        if !training {
            self.owed_to_training = Duration::ZERO;
        }
        match (training, sampling) {
            (false, false) => None,
            (true, true) if self.owed_to_sampling.is_zero() => Some(Next::Train),
            (true, false) => Some(Next::Train),
            (_, true) => Some(Next::Sample),
        }
    }

    /// Records the time of a training operation.
    pub(super) fn trained(&mut self, took: Duration) {
        let paid = took.min(self.owed_to_training);
        self.owed_to_training -= paid;
        self.owed_to_sampling += took.saturating_sub(paid);
    }

    /// Records the time of a sampling step.
    pub(super) fn sampled(&mut self, took: Duration) {
        let paid = took.min(self.owed_to_sampling);
        self.owed_to_sampling -= paid;
        self.owed_to_training += took.saturating_sub(paid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Training operations and sampling steps done in some seconds. `work` says which kinds have work at a time.
    fn run(
        seconds: u64,
        operation: Duration,
        step: Duration,
        work: impl Fn(Duration) -> (bool, bool),
    ) -> (u32, u32) {
        let (mut share, mut now, mut done) = (Share::default(), Duration::ZERO, (0, 0));
        while now < Duration::from_secs(seconds) {
            let (training, sampling) = work(now);
            now += match share.next(training, sampling) {
                Some(Next::Train) => {
                    share.trained(operation);
                    done.0 += 1;
                    operation
                }
                Some(Next::Sample) => {
                    share.sampled(step);
                    done.1 += 1;
                    step
                }
                None => Duration::from_millis(1),
            };
        }
        done
    }

    #[test]
    fn floods_of_both_have_half_of_the_time_each() {
        for (operation, step) in [(1, 1), (700, 3), (20, 250), (9000, 40)] {
            let (operation, step) = (
                Duration::from_millis(operation),
                Duration::from_millis(step),
            );
            let (trained, sampled) = run(200, operation, step, |_| (true, true));
            let share = (operation * trained).as_secs_f64() / 200.0;
            assert!(
                (0.4..0.6).contains(&share),
                "{operation:?} {step:?}: {share}"
            );
            assert!(sampled > 0);
        }
    }

    #[test]
    fn whoever_is_alone_has_all_of_it() {
        let ms = Duration::from_millis;
        assert_eq!(run(10, ms(100), ms(10), |_| (true, false)), (100, 0));
        assert_eq!(run(10, ms(100), ms(10), |_| (false, true)), (0, 1000));
    }

    #[test]
    fn a_client_that_waits_for_each_operation_does_not_starve_samples() {
        // Training has no work for two of every hundred milliseconds.
        let ms = Duration::from_millis;
        let work = |now: Duration| (now.as_millis() % 100 >= 2, true);
        let (trained, sampled) = run(100, ms(700), ms(3), work);
        let sampling = (ms(3) * sampled).as_secs_f64();
        assert!(sampling > 45.0 && trained > 60, "{sampling} {trained}");
    }

    #[test]
    fn nothing_is_saved_up() {
        // Ten seconds of training alone; then a sample arrives, and must not block operations for ten seconds.
        let ms = Duration::from_millis;
        let work = |now: Duration| (true, now >= ms(10_000));
        let (trained, _) = run(20, ms(100), ms(10), work);
        assert!(trained >= 148, "{trained}");
    }
}
