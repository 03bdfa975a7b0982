//! Rotary embedding frequencies.

use std::f64::consts::TAU;

/// Scaling of the rotary frequencies for sequences longer than those the model was first trained on.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub enum RopeScaling {
    /// No scaling.
    #[default]
    None,
    /// All frequencies are divided by a factor.
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Llama 3.1's: low frequencies are divided by a factor, high ones are unchanged, those between are interpolated.
    Llama3 {
        /// Divisor of low frequencies.
        factor: f64,
        /// Largest number of rotations within the original length that counts as low.
        low_freq_factor: f64,
        /// Smallest number of rotations within the original length that counts as high.
        high_freq_factor: f64,
        /// The original length, in tokens.
        original_max_position_embeddings: usize,
    },
}

impl RopeScaling {
    /// Rotation of each pair of a head from one position to the next, in radians: `[head_dim / 2]`.
    pub(super) fn frequencies(self, theta: f64, head_dim: usize) -> Vec<f32> {
        (0..head_dim / 2)
            .map(|i| theta.powf(-2.0 * i as f64 / head_dim as f64))
            .map(|frequency| self.scale(frequency) as f32)
            .collect()
    }

    fn scale(self, frequency: f64) -> f64 {
        match self {
            Self::None => frequency,
            Self::Linear { factor } => frequency / factor,
            Self::Llama3 {
                factor,
                low_freq_factor: low,
                high_freq_factor: high,
                original_max_position_embeddings: original,
            } => {
                let turns = original as f64 * frequency / TAU;
                let fast = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                (1.0 - fast) * frequency / factor + fast * frequency
            }
        }
    }

    /// Whether its numbers are finite, positive and in order.
    pub(super) fn is_usable(self) -> bool {
        let above_zero = |x: f64| x.is_finite() && x > 1e-9;
        match self {
            Self::None => true,
            Self::Linear { factor } => above_zero(factor),
            Self::Llama3 {
                factor,
                low_freq_factor: low,
                high_freq_factor: high,
                original_max_position_embeddings: original,
            } => [factor, low, high].into_iter().all(above_zero) && low < high && original > 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn high_frequencies_are_unchanged_and_low_ones_divided() {
        let (theta, head_dim) = (500_000.0, 64);
        let plain = RopeScaling::None.frequencies(theta, head_dim);
        let llama = RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 8192,
        };
        let scaled = llama.frequencies(theta, head_dim);
        assert_eq!(plain[0].to_bits(), scaled[0].to_bits());
        assert_eq!((plain[31] / 8.0).to_bits(), scaled[31].to_bits());
        let ratios: Vec<f32> = plain.iter().zip(&scaled).map(|(p, s)| p / s).collect();
        assert!(ratios.is_sorted(), "{ratios:?}");
        assert!(
            ratios.iter().any(|r| *r > 1.01 && *r < 7.9),
            "some are blended"
        );

        let linear = RopeScaling::Linear { factor: 4.0 };
        assert_eq!(
            linear.frequencies(theta, head_dim)[5].to_bits(),
            (plain[5] / 4.0).to_bits()
        );
    }
}
