//! Advantages within the answers to one problem.

/// Advantages of a group: rewards minus their mean. `None` if all are equal, as nothing can be learned from it.
pub(crate) fn advantages(rewards: &[f64]) -> Option<Vec<f64>> {
    let mean = rewards.iter().sum::<f64>() / rewards.len().max(1) as f64;
    let first = *rewards.first()?;
    if rewards
        .iter()
        .all(|reward| reward.total_cmp(&first).is_eq())
    {
        return None;
    }
    Some(rewards.iter().map(|reward| reward - mean).collect())
}

/// Advantages of the tokens of an answer with a penalty on the divergence from a reference:
/// `advantage + coefficient (mean(d) - d_t)`, where `d` is the log probability of a token when it was sampled, minus the one
/// under the reference.
pub(crate) fn with_penalty(
    advantage: f64,
    coefficient: f64,
    sampled: &[f32],
    reference: &[f32],
) -> Vec<f32> {
    let differences = sampled.iter().zip(reference);
    let differences: Vec<f64> = differences
        .map(|(sampled, reference)| f64::from(*sampled) - f64::from(*reference))
        .collect();
    let mean = differences.iter().sum::<f64>() / differences.len().max(1) as f64;
    let penalised = |difference: &f64| (advantage + coefficient * (mean - difference)) as f32;
    differences.iter().map(penalised).collect()
}

/// Divergence between sampler and trainer over the tokens of answers: mean difference, half the mean square, and the mean
/// of `exp(d) - d - 1`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Drift {
    count: usize,
    sums: [f64; 3],
}

impl Drift {
    /// Adds a token.
    pub(crate) fn add(&mut self, sampled: f32, trained: f32) {
        let difference = f64::from(sampled) - f64::from(trained);
        let back = -difference;
        self.count += 1;
        self.sums[0] += difference;
        self.sums[1] += 0.5 * difference * difference;
        self.sums[2] += back.exp() - back - 1.0;
    }

    /// The three means.
    pub(crate) fn means(&self) -> [f64; 3] {
        self.sums.map(|sum| sum / self.count.max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rewards_teach_nothing() {
        assert_eq!(advantages(&[1.0, 1.0, 1.0]), None);
        assert_eq!(advantages(&[]), None);
        assert_eq!(
            advantages(&[1.0, 0.0, 0.0, 1.0]),
            Some(vec![0.5, -0.5, -0.5, 0.5])
        );
    }

    /// Numbers of the formulas in Python, with exact fractions.
    #[test]
    fn the_penalty_and_the_drift_are_those_of_the_formulas() {
        let sampled = [-0.5_f32, -1.0, -0.25];
        let reference = [-1.0_f32, -0.75, -0.25];
        let found = with_penalty(0.5, 0.3, &sampled, &reference);
        for (found, expected) in found.iter().zip([0.375, 0.6, 0.525]) {
            assert!((f64::from(*found) - expected).abs() < 1e-7, "{found}");
        }
        let mut drift = Drift::default();
        for (sampled, trained) in sampled.iter().zip(reference) {
            drift.add(*sampled, trained);
        }
        let expected = [
            0.083_333_333_333_333_33,
            0.052_083_333_333_333_336,
            0.046_852_025_466_791_62,
        ];
        for (found, expected) in drift.means().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }
}
