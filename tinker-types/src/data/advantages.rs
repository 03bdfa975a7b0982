//! Advantages of sampled sequences.

/// Advantages of a sampled sequence, see [`Datum::from_sample`](crate::Datum::from_sample).
#[derive(Debug, Clone, PartialEq)]
pub enum Advantages {
    /// One value for each token of the sequence.
    Sequence(f32),
    /// A value for each token.
    Tokens(Vec<f32>),
}

impl From<f32> for Advantages {
    fn from(advantage: f32) -> Self {
        Self::Sequence(advantage)
    }
}

impl From<Vec<f32>> for Advantages {
    fn from(advantages: Vec<f32>) -> Self {
        Self::Tokens(advantages)
    }
}

impl From<&[f32]> for Advantages {
    fn from(advantages: &[f32]) -> Self {
        Self::Tokens(advantages.to_vec())
    }
}

/// Advantages of the samples of one prompt: each reward minus the mean of the group. They are not divided by the standard
/// deviation. If all rewards are equal, every advantage is 0.
///
/// ```
/// assert_eq!(tinker_types::group_advantages(&[1.0, 0.0, 0.0, 1.0]), [0.5, -0.5, -0.5, 0.5]);
/// ```
pub fn group_advantages(rewards: &[f32]) -> Vec<f32> {
    let sum: f64 = rewards.iter().map(|reward| f64::from(*reward)).sum();
    let mean = sum / rewards.len().max(1) as f64;
    rewards
        .iter()
        .map(|reward| (f64::from(*reward) - mean) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rewards_teach_nothing() {
        assert_eq!(group_advantages(&[0.1; 3]), [0.0; 3]);
        assert!(group_advantages(&[]).is_empty());
    }
}
