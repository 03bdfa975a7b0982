//! Budgets: bounds on the time, the tokens or the price of a run.

use std::ops::AddAssign;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::row::StepRow;

/// A bound on a run. The run stops once a step reaches it, after the steps in flight, and saves a checkpoint. Evaluations by
/// the caller are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Budget {
    /// Wall-clock time of the steps, those of earlier processes included.
    Time(Duration),
    /// Number of tokens that are trained, prefilled or sampled.
    Tokens(u64),
    /// Price.
    Price {
        /// Largest price in US dollars.
        usd: f64,
        /// Prices of the model.
        prices: Prices,
    },
}

/// Prices of a model in US dollars per million tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Prices {
    /// Tokens of prompts and of passes without gradients.
    pub prefill: f64,
    /// Generated tokens.
    pub sample: f64,
    /// Tokens of passes with gradients.
    pub train: f64,
}

/// Numbers of tokens by their kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TokenCounts {
    /// Tokens of prompts and of passes without gradients.
    pub prefilled: u64,
    /// Generated tokens.
    pub sampled: u64,
    /// Tokens of passes with gradients.
    pub trained: u64,
}

impl Prices {
    /// Prices by kind.
    pub fn new(prefill: f64, sample: f64, train: f64) -> Self {
        Self {
            prefill,
            sample,
            train,
        }
    }
}

impl TokenCounts {
    /// Counts by kind.
    pub fn new(prefilled: u64, sampled: u64, trained: u64) -> Self {
        Self {
            prefilled,
            sampled,
            trained,
        }
    }

    /// Tokens of a step: `tokens` of its row, and the measurements `prefilled_tokens` and `sampled_tokens`.
    pub fn of(row: &StepRow) -> Self {
        let count = |name| row.metric(name).unwrap_or_default() as u64;
        Self::new(
            count("prefilled_tokens"),
            count("sampled_tokens"),
            row.tokens as u64,
        )
    }

    /// Sum over the kinds.
    pub fn total(&self) -> u64 {
        self.prefilled + self.sampled + self.trained
    }

    /// Price in US dollars.
    pub fn price(&self, prices: &Prices) -> f64 {
        let parts = [
            (self.prefilled, prices.prefill),
            (self.sampled, prices.sample),
            (self.trained, prices.train),
        ];
        parts
            .iter()
            .map(|(count, price)| *count as f64 * price)
            .sum::<f64>()
            / 1e6
    }
}

impl AddAssign for TokenCounts {
    fn add_assign(&mut self, more: Self) {
        self.prefilled += more.prefilled;
        self.sampled += more.sampled;
        self.trained += more.trained;
    }
}

impl Budget {
    /// Whether a run with these tokens and seconds has reached it.
    pub fn is_used_up(&self, counts: &TokenCounts, seconds: f64) -> bool {
        match self {
            Self::Time(limit) => seconds >= limit.as_secs_f64(),
            Self::Tokens(limit) => counts.total() >= *limit,
            Self::Price { usd, prices } => counts.price(prices) >= *usd,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_used_up_once_it_is_reached() {
        let mut row = StepRow::new(1);
        row.tokens = 1_000_000;
        row.metrics.insert("sampled_tokens".to_owned(), 500_000.0);
        row.metrics.insert("prefilled_tokens".to_owned(), 250_000.0);
        let mut counts = TokenCounts::of(&row);
        assert_eq!(counts.total(), 1_750_000);
        let prices = Prices::new(0.4, 2.0, 1.5);
        assert!((counts.price(&prices) - 2.6).abs() < 1e-12);
        let reached = |counts: &TokenCounts| {
            [
                Budget::Tokens(1_750_001),
                Budget::Price { usd: 2.7, prices },
                Budget::Time(Duration::from_secs(9)),
            ]
            .map(|budget| budget.is_used_up(counts, 8.5))
        };
        assert_eq!(reached(&counts), [false; 3]);
        counts += TokenCounts::new(0, 100_000, 0);
        assert_eq!(reached(&counts), [true, true, false]);
        assert!(Budget::Time(Duration::from_secs(9)).is_used_up(&counts, 9.0));
    }
}
