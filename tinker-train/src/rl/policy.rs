//! Reinforcement learning: groups of answers, their rewards, and the batch that they make.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use tinker_client::{
    Datum, InvalidValue, Loss, LossFn, ModelInput, SampleOptions, SampledSequence, SamplingClient,
    SamplingParams, Stop,
};
use tinker_data::{Renderer, without_empty_thought};

use super::group::{advantages, with_penalty};
use super::problem::{Problem, Problems};
use super::reward::Reward;
use super::sampled::{drift_of, reference_logprobs, sampled_logprobs, seed_of};
use crate::error::TrainError;
use crate::event::Sampled;
use crate::order::Order;
use crate::recipe::{Batch, Position, Recipe};
use crate::sampling::steady;

/// Largest number of prompts whose answers are sampled at a time.
const IN_FLIGHT: usize = 64;

/// Reinforcement learning with a reward, synchronous: each step samples a group of answers to each of its prompts from
/// the current weights, and trains on the rewards minus the mean of their group. Groups of equal reward are left out,
/// and counted.
///
/// The seeds of samples follow from the seed, the step and the prompt. Memory: the [`Problems`], and the
/// answers of the step in flight and of the next one.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rl {
    /// The reward.
    pub reward: Reward,
    /// The loss: importance sampling by default; also PPO, CISPO and GSPO.
    pub loss: Loss,
    /// Number of answers to each prompt. Default 8.
    pub group_size: usize,
    /// Largest number of tokens of an answer. Default 64.
    pub max_tokens: u32,
    /// Temperature of the samples. Default 1.
    pub temperature: f64,
    /// A sampler of the reference weights, and the weight of the penalty on the divergence from them. Default: none.
    pub reference: Option<(SamplingClient, f64)>,
    problems: Problems,
    renderer: Renderer,
    order: Order,
    seed: u64,
}

/// The answers to one problem with their rewards.
struct Group<'a> {
    problem: &'a Problem,
    sequences: Vec<SampledSequence>,
    rewards: Vec<f64>,
    /// Text of the first sequence.
    first: String,
}

impl Rl {
    /// Trains on `prompts` problems a step, in an order that the seed fixes.
    ///
    /// # Errors
    /// No problems.
    pub fn new(
        problems: impl Into<Problems>,
        renderer: Renderer,
        reward: Reward,
        prompts: usize,
        seed: u64,
    ) -> Result<Self, TrainError> {
        let problems = problems.into();
        if problems.is_empty() {
            return Err(TrainError::Refused("there are no problems".to_owned()));
        }
        Ok(Self {
            reward,
            loss: Loss::importance_sampling(),
            group_size: 8,
            max_tokens: 64,
            temperature: 1.0,
            reference: None,
            order: Order::new(problems.len(), prompts, seed),
            problems,
            renderer,
            seed,
        })
    }

    /// Number of problems in a step.
    pub fn prompts(&self) -> usize {
        self.order.batch_size()
    }

    /// The mean reward of one answer to each of these problems, at a temperature of 0.
    ///
    /// # Errors
    /// A failed sample or reward.
    pub async fn evaluate(
        &self,
        sampler: &SamplingClient,
        problems: &[Problem],
    ) -> Result<f64, TrainError> {
        let greedy = self.params().with_temperature(0.0);
        let options = |_| SampleOptions::new(greedy.clone());
        let groups = self
            .sampled(sampler, problems.iter().collect(), options)
            .await?;
        let rewards: Vec<f64> = groups
            .iter()
            .flat_map(|group| group.rewards.clone())
            .collect();
        Ok(rewards.iter().sum::<f64>() / rewards.len().max(1) as f64)
    }

    fn params(&self) -> SamplingParams {
        let params = SamplingParams::default()
            .with_temperature(self.temperature)
            .with_max_tokens(self.max_tokens);
        match self.renderer.end_tokens() {
            [] => params,
            ends => params.with_stop(Stop::Tokens(ends.to_vec())),
        }
    }

    /// Samples answers to problems, and rewards them all at once. `options` receives the number of the problem.
    async fn sampled<'a>(
        &self,
        sampler: &SamplingClient,
        problems: Vec<&'a Problem>,
        options: impl Fn(usize) -> SampleOptions,
    ) -> Result<Vec<Group<'a>>, TrainError> {
        let requests: Vec<(ModelInput, SampleOptions)> = problems
            .iter()
            .enumerate()
            .map(|(at, problem)| (problem.input.clone(), options(at)))
            .collect();
        let sampler = steady(sampler);
        let responses = futures_util::stream::iter(requests)
            .map(|(input, options)| sampler.sample(input, options))
            .buffered(IN_FLIGHT);
        let failed = |error| TrainError::client("a sample failed", error);
        let responses: Vec<_> = responses.try_collect().await.map_err(failed)?;
        let mut answered = Vec::new();
        for (problem, response) in problems.iter().zip(&responses) {
            for sequence in &response.sequences {
                let answer = self.renderer.answer(&sequence.tokens);
                let answer = answer.map_err(|error| TrainError::Hook {
                    what: "an answer cannot be decoded".to_owned(),
                    source: error.into(),
                })?;
                answered.push(problem.answered(without_empty_thought(&answer).to_owned()));
            }
        }
        let answers = answered.iter().map(|one| one.answer.clone());
        let mut answers = answers.collect::<Vec<_>>().into_iter();
        let mut rewards = self.reward.of(answered).await?.into_iter();
        let groups = problems.into_iter().zip(responses);
        let group = |(problem, response): (&'a Problem, tinker_client::SampleResponse)| {
            let count = response.sequences.len();
            let mut texts = answers.by_ref().take(count);
            let first = texts.next().unwrap_or_default();
            texts.for_each(drop);
            Group {
                problem,
                rewards: rewards.by_ref().take(count).collect(),
                sequences: response.sequences,
                first,
            }
        };
        Ok(groups.map(group).collect())
    }

    async fn step(&self, position: Position<'_>) -> Result<Batch, TrainError> {
        let sampler = position.sampler.ok_or_else(|| {
            TrainError::Refused("reinforcement learning needs a sampler".to_owned())
        })?;
        let indices = self.order.batch(position.batch);
        let problems = indices.iter().map(|index| self.problems.get(*index));
        let problems: Vec<Problem> = problems.collect::<Result<_, _>>()?;
        let params = self.params();
        let options = |row: usize| {
            let seed = seed_of(self.seed, position.batch, row);
            SampleOptions::new(params.clone().with_seed(seed))
                .with_num_samples(u32::try_from(self.group_size).unwrap_or(u32::MAX))
        };
        let groups = self
            .sampled(sampler, problems.iter().collect(), options)
            .await?;
        let mut batch = Batch::new(Vec::new(), self.loss.clone());
        let mut dropped = 0;
        let mut learned = Vec::new();
        for group in &groups {
            let Some(advantages) = advantages(&group.rewards) else {
                dropped += 1;
                continue;
            };
            for (sequence, advantage) in group.sequences.iter().zip(advantages) {
                batch.learned += sequence.tokens.len();
                learned.push(self.datum(group.problem, sequence, advantage));
            }
        }
        let data = futures_util::stream::iter(learned).buffered(IN_FLIGHT);
        batch.data = data.try_collect().await?;
        let lengths = batch.data.iter();
        batch.tokens = lengths
            .filter_map(|datum| datum.model_input.length().ok())
            .sum();
        batch.metrics = metrics(&groups, dropped);
        batch.sample = groups.first().and_then(|group| {
            Some(Sampled {
                prompt: group.problem.prompt.clone(),
                answer: group.first.clone(),
                reward: *group.rewards.first()?,
            })
        });
        // The reference reads whole sequences.
        let read_again = self.reference.as_ref().map_or(0, |_| batch.tokens);
        let prompts = groups
            .iter()
            .filter_map(|group| group.problem.input.length().ok());
        let prefilled = prompts.sum::<usize>() + read_again;
        batch
            .metrics
            .insert("prefilled_tokens".to_owned(), prefilled as f64);
        batch.measure = Some(drift_of(&batch.data));
        Ok(batch)
    }

    async fn datum(
        &self,
        problem: &Problem,
        sequence: &SampledSequence,
        advantage: f64,
    ) -> Result<Datum, TrainError> {
        let invalid = |error: InvalidValue| TrainError::Refused(format!("a sample: {error}"));
        let datum = match &self.reference {
            None => Datum::from_sample(&problem.input, sequence, advantage as f32),
            Some((reference, coefficient)) => {
                let mut tokens = problem.input.to_tokens().map_err(invalid)?;
                let start = tokens.len();
                tokens.extend(&sequence.tokens);
                let found = reference_logprobs(reference, tokens).await?;
                let sampled = sequence.logprobs.as_deref().unwrap_or_default();
                let advantages = with_penalty(advantage, *coefficient, sampled, &found[start..]);
                Datum::from_sample(&problem.input, sequence, advantages)
            }
        };
        let datum = datum.map_err(invalid)?;
        if self.loss.name != LossFn::Gspo {
            return Ok(datum);
        }
        let (_, mask) = sampled_logprobs(&datum);
        Ok(datum.with_input("sequence_ratio_mask", mask))
    }
}

fn metrics(groups: &[Group<'_>], dropped: usize) -> BTreeMap<String, f64> {
    let rewards: Vec<f64> = groups
        .iter()
        .flat_map(|group| group.rewards.clone())
        .collect();
    let sequences = groups.iter().flat_map(|group| &group.sequences);
    let (mut tokens, mut surprise, mut count) = (0, 0.0, 0);
    for sequence in sequences {
        count += 1;
        tokens += sequence.tokens.len();
        let logprobs = sequence.logprobs.iter().flatten();
        surprise -= logprobs.map(|lp| f64::from(*lp)).sum::<f64>();
    }
    let count = f64::from(count).max(1.0);
    let metrics = [
        ("reward", rewards.iter().sum::<f64>() / count),
        ("groups", groups.len() as f64),
        ("groups_dropped", dropped as f64),
        ("answer_tokens", tokens as f64 / count),
        ("sampled_tokens", tokens as f64),
        ("entropy", surprise / (tokens as f64).max(1.0)),
    ];
    metrics.map(|(name, value)| (name.to_owned(), value)).into()
}

impl Recipe for Rl {
    fn samples(&self) -> bool {
        true
    }

    fn batch<'a>(&'a self, position: Position<'a>) -> BoxFuture<'a, Result<Batch, TrainError>> {
        self.step(position).boxed()
    }
}
