//! Log probabilities of tokens under the distribution that a sample was drawn from.

/// Turns logits into log probabilities at one temperature.
#[derive(Debug, Clone, Copy)]
pub(super) enum Measure {
    /// At temperature 1, with the logarithm of the normaliser.
    Plain { norm: f32 },
    /// At another temperature.
    Tempered {
        /// The greatest logit.
        most: f32,
        /// Inverse of the temperature.
        by: f32,
        /// Logarithm of the sum of `exp(by * (logit - most))`.
        log_sum: f32,
    },
}

impl Measure {
    /// The measure of a draw at this temperature, from the logarithm of the normaliser at 1 and the fields of the variant for
    /// others. At 0 the draw is certain, and the numbers are those at 1.
    pub(super) fn of_draw(temperature: f32, norm: f32, normaliser: (f32, f32, f32)) -> Self {
        if temperature == 0.0 || temperature.to_bits() == 1.0_f32.to_bits() {
            return Self::Plain { norm };
        }
        let (most, by, log_sum) = normaliser;
        Self::Tempered { most, by, log_sum }
    }

    /// Log probability of a token with this logit. Finite: a token too improbable for that has the lowest number.
    pub(super) fn logprob(self, logit: f32) -> f32 {
        match self {
            Self::Plain { norm } => logit - norm,
            Self::Tempered { most, by, log_sum } => (by * (logit - most) - log_sum).max(f32::MIN),
        }
    }
}
