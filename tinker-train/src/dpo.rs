//! Direct preference optimization.

pub(crate) mod pair;

use std::collections::{BTreeMap, HashMap};

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use tinker_client::{CustomLoss, Datum, InvalidValue, SamplingClient};

use self::pair::{Pair, Pairs};
use crate::error::TrainError;
use crate::order::Order;
use crate::recipe::{Batch, Measured, Position, Recipe};
use crate::sampling::steady;

/// Largest number of pairs whose log probabilities are computed at a time.
const IN_FLIGHT: usize = 32;
/// Names of the metrics.
const METRICS: [&str; 4] = [
    "preference_accuracy",
    "margin",
    "reward_chosen",
    "reward_rejected",
];

/// Log probabilities of the answers of a pair, each summed over the learned tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairLogprobs {
    /// Of the better answer.
    pub chosen: f64,
    /// Of the worse answer.
    pub rejected: f64,
}

/// Direct preference optimization: `-log sigmoid(beta (d_chosen - d_rejected))` for each pair, where `d` is the log
/// probability of an answer minus the one under the reference.
///
/// Memory: the [`Pairs`], the [`Order`], and some 50 bytes for each pair that is trained on.
#[derive(Debug)]
pub struct Dpo {
    pairs: Pairs,
    reference: HashMap<usize, PairLogprobs>,
    order: Order,
    beta: f64,
}

/// Log probabilities of the pairs with these numbers, under the weights of a sampler: those of the reference, or of a
/// snapshot.
///
/// # Errors
/// A failed request, or a pair that cannot be read or has no targets.
pub async fn pair_logprobs(
    sampler: &SamplingClient,
    pairs: &Pairs,
    numbers: &[usize],
) -> Result<Vec<PairLogprobs>, TrainError> {
    let sampler = steady(sampler);
    let of_pair = |at: usize| {
        let (pair, sampler) = (pairs.get(at), sampler.clone());
        async move {
            let Pair { chosen, rejected } = pair?;
            let both = (sum_of(&sampler, chosen), sum_of(&sampler, rejected));
            let (chosen, rejected) = futures_util::future::try_join(both.0, both.1).await?;
            Ok(PairLogprobs { chosen, rejected })
        }
    };
    let found = futures_util::stream::iter(numbers.to_vec()).map(of_pair);
    found.buffered(IN_FLIGHT).try_collect().await
}

async fn sum_of(sampler: &SamplingClient, datum: Datum) -> Result<f64, TrainError> {
    let invalid = |error: InvalidValue| TrainError::Refused(error.to_string());
    let mut tokens = datum.model_input.to_tokens().map_err(invalid)?;
    let targets = datum.loss_fn_inputs.get("target_tokens");
    let last = targets.and_then(|targets| targets.as_i64()?.last().copied());
    let last = last.and_then(|last| u32::try_from(last).ok());
    tokens.push(last.ok_or_else(|| TrainError::Refused("a pair has no targets".to_owned()))?);
    let failed = |error| TrainError::client("cannot compute log probabilities", error);
    let found = sampler.compute_logprobs(tokens).await.map_err(failed)?;
    // The log probability at position t + 1 is that of target t.
    let found: Vec<f32> = found
        .into_iter()
        .skip(1)
        .map(Option::unwrap_or_default)
        .collect();
    Ok(weighted(&datum, &found))
}

/// The sum of log probabilities, times the weights of the targets.
fn weighted(datum: &Datum, logprobs: &[f32]) -> f64 {
    let weights = datum.weights().unwrap_or_default();
    let products = logprobs.iter().zip(weights);
    products
        .map(|(lp, weight)| f64::from(*lp) * f64::from(*weight))
        .sum()
}

/// Value and derivatives of the loss of one pair.
#[derive(Debug, Clone, Copy, PartialEq)]
struct PairLoss {
    loss: f64,
    /// Derivative with respect to the log probability of the chosen answer; that of the rejected one is its opposite.
    slope: f64,
    /// Rewards: `beta d` of both answers.
    chosen: f64,
    rejected: f64,
}

fn pair_loss(policy: PairLogprobs, reference: PairLogprobs, beta: f64) -> PairLoss {
    let chosen = beta * (policy.chosen - reference.chosen);
    let rejected = beta * (policy.rejected - reference.rejected);
    let margin = chosen - rejected;
    // Stable on both sides: log(1 + exp(-m)) = max(-m, 0) + log1p(exp(-|m|)).
    let loss = (-margin).max(0.0) + (-margin.abs()).exp().ln_1p();
    PairLoss {
        loss,
        slope: -beta / (1.0 + margin.exp()),
        chosen,
        rejected,
    }
}

/// Share of pairs whose better answer has the larger reward; equal ones count half.
///
/// # Panics
/// If the slices have different lengths.
pub fn preference_accuracy(policy: &[PairLogprobs], reference: &[PairLogprobs]) -> f64 {
    assert_eq!(policy.len(), reference.len(), "one reference for each pair");
    let pairs = policy.iter().zip(reference);
    let points = pairs.map(|(policy, reference)| {
        let loss = pair_loss(*policy, *reference, 1.0);
        win(loss.chosen - loss.rejected)
    });
    points.sum::<f64>() / policy.len().max(1) as f64
}

fn win(margin: f64) -> f64 {
    if margin > 0.0 {
        1.0
    } else if margin < 0.0 {
        0.0
    } else {
        0.5
    }
}

/// The loss of a batch: chosen and rejected answers alternate.
fn batch_loss(
    data: &[Datum],
    logprobs: &[Vec<f32>],
    reference: &[PairLogprobs],
    beta: f64,
) -> CustomLoss {
    let mut loss = CustomLoss::new(0.0, Vec::with_capacity(data.len()));
    let mut sums = [0.0; 4];
    for (at, reference) in reference.iter().enumerate() {
        let (chosen, rejected) = (2 * at, 2 * at + 1);
        let policy = PairLogprobs {
            chosen: weighted(&data[chosen], &logprobs[chosen]),
            rejected: weighted(&data[rejected], &logprobs[rejected]),
        };
        let pair = pair_loss(policy, *reference, beta);
        loss.loss += pair.loss;
        for (index, slope) in [(chosen, pair.slope), (rejected, -pair.slope)] {
            let weights = data[index].weights().unwrap_or_default();
            let slopes = weights
                .iter()
                .map(|weight| (slope * f64::from(*weight)) as f32);
            loss.gradients.push(slopes.collect());
        }
        let margin = pair.chosen - pair.rejected;
        let values = [win(margin), margin, pair.chosen, pair.rejected];
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value;
        }
    }
    for (name, sum) in METRICS.into_iter().zip(sums) {
        loss = loss.with_metric(name, sum / reference.len().max(1) as f64);
    }
    loss
}

impl Dpo {
    /// Trains on `batch_size` pairs a step, in an order that the seed fixes. `reference` holds the log probabilities
    /// under the starting weights, by the number of the pair, see [`pair_logprobs`]. Pairs that the steps do not reach, see
    /// [`Order::used`], need none.
    ///
    /// # Errors
    /// No pairs.
    pub fn new(
        pairs: impl Into<Pairs>,
        reference: impl IntoIterator<Item = (usize, PairLogprobs)>,
        batch_size: usize,
        seed: u64,
    ) -> Result<Self, TrainError> {
        let pairs = pairs.into();
        if pairs.is_empty() {
            return Err(TrainError::Refused("there are no pairs".to_owned()));
        }
        Ok(Self {
            order: Order::new(pairs.len(), batch_size, seed),
            pairs,
            reference: reference.into_iter().collect(),
            beta: 0.1,
        })
    }

    /// Sets the strength of the pull to the reference. Default 0.1.
    #[must_use]
    pub fn with_beta(mut self, beta: f64) -> Self {
        self.beta = beta;
        self
    }

    fn read(&self, number: usize) -> Result<Batch, TrainError> {
        let indices = self.order.batch(number);
        let mut data = Vec::with_capacity(2 * indices.len());
        let mut reference = Vec::with_capacity(indices.len());
        for index in &indices {
            let pair = self.pairs.get(*index)?;
            data.extend([pair.chosen, pair.rejected]);
            let missing = || TrainError::Refused(format!("pair {index} has no reference"));
            reference.push(*self.reference.get(index).ok_or_else(missing)?);
        }
        let beta = self.beta;
        let count = reference.len();
        let loss = move |data: &[Datum], logprobs: &[Vec<f32>]| {
            Ok(batch_loss(data, logprobs, &reference, beta))
        };
        let mut batch = Batch::custom(data, Box::new(loss));
        batch.per = Some(count as f64);
        // The loss takes a pass without gradients first.
        batch
            .metrics
            .insert("prefilled_tokens".to_owned(), batch.tokens as f64);
        batch.measure = Some(Measured(Box::new(|output| {
            let found = METRICS.into_iter().filter_map(|name| {
                let value = output.metrics.get(name)?;
                Some((name.to_owned(), *value))
            });
            found.collect::<BTreeMap<_, _>>()
        })));
        Ok(batch)
    }
}

impl Recipe for Dpo {
    fn batch<'a>(&'a self, position: Position<'a>) -> BoxFuture<'a, Result<Batch, TrainError>> {
        std::future::ready(self.read(position.batch)).boxed()
    }
}

#[cfg(test)]
mod tests;
