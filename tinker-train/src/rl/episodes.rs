//! Reinforcement learning over several turns: episodes of an environment, and the batch that they make.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use tinker_client::{
    Datum, InvalidValue, Loss, LossFn, ModelInput, SamplingClient, SamplingParams, Stop,
};
use tinker_data::{Renderer, without_empty_thought};

use super::environment::{Action, Environment, Observation};
use super::group::{advantages, with_penalty};
use super::sampled::{drift_of, reference_logprobs, sampled_logprobs, seed_of};
use crate::error::{BoxError, TrainError};
use crate::order::Order;
use crate::recipe::{Batch, Position, Recipe};
use crate::sampling::steady;

/// Largest number of episodes at a time.
const IN_FLIGHT: usize = 64;

type Make = dyn Fn(usize) -> Box<dyn Environment> + Send + Sync;

/// Reinforcement learning over several turns, synchronous: each step plays a group of episodes of each of its problems with
/// the current weights, and trains on the sums of their rewards minus the mean of their group.
///
/// An episode is one sequence: observations and actions in turn. Only the tokens of actions are learned; those of
/// observations have neither a loss nor a log probability. The seeds of samples follow from the seed, the step, the episode
/// and the action. Memory: the episodes of the step in
/// flight and of the next one.
#[non_exhaustive]
pub struct Episodes {
    /// The loss: importance sampling by default; also PPO, CISPO and GSPO.
    pub loss: Loss,
    /// Number of episodes of each problem. Default 8.
    pub group_size: usize,
    /// Largest number of tokens of an action. Default 64.
    pub max_tokens: u32,
    /// Largest number of actions of an episode, which is cut after them. Default 16.
    pub max_actions: usize,
    /// Temperature of the samples. Default 1.
    pub temperature: f64,
    /// A sampler of the reference weights, and the weight of the penalty on the divergence from them in the actions. Default:
    /// none.
    pub reference: Option<(SamplingClient, f64)>,
    make: Arc<Make>,
    renderer: Renderer,
    order: Order,
    seed: u64,
}

/// A played episode.
#[derive(Debug, Default)]
struct Episode {
    tokens: Vec<u32>,
    /// Log probabilities of the tokens of actions.
    logprobs: Vec<Option<f32>>,
    reward: f64,
    actions: usize,
    /// Whether it has reached the largest number of actions.
    is_cut: bool,
}

impl Episodes {
    /// Plays `problems` problems, `prompts` of them in a step, in an order that the seed fixes. `make` creates an episode of a
    /// problem, numbered from 0.
    ///
    /// # Errors
    /// No problems.
    pub fn new(
        problems: usize,
        make: impl Fn(usize) -> Box<dyn Environment> + Send + Sync + 'static,
        renderer: Renderer,
        prompts: usize,
        seed: u64,
    ) -> Result<Self, TrainError> {
        if problems == 0 {
            return Err(TrainError::Refused("there are no problems".to_owned()));
        }
        Ok(Self {
            loss: Loss::importance_sampling(),
            group_size: 8,
            max_tokens: 64,
            max_actions: 16,
            temperature: 1.0,
            reference: None,
            make: Arc::new(make),
            renderer,
            order: Order::new(problems, prompts, seed),
            seed,
        })
    }

    /// The mean reward of one episode of each of these problems, at a temperature of 0.
    ///
    /// # Errors
    /// A failed sample or environment.
    pub async fn evaluate(
        &self,
        sampler: &SamplingClient,
        problems: &[usize],
    ) -> Result<f64, TrainError> {
        let greedy = self.params().with_temperature(0.0);
        let play = |problem: usize| self.play(sampler, problem, greedy.clone(), 0);
        let episodes = futures_util::stream::iter(problems.to_vec()).map(play);
        let episodes: Vec<Episode> = episodes.buffered(IN_FLIGHT).try_collect().await?;
        let rewards: f64 = episodes.iter().map(|episode| episode.reward).sum();
        Ok(rewards / episodes.len().max(1) as f64)
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

    async fn play(
        &self,
        sampler: &SamplingClient,
        problem: usize,
        params: SamplingParams,
        seed: u64,
    ) -> Result<Episode, TrainError> {
        let hook = |source: BoxError| TrainError::Hook {
            what: format!("the environment of problem {problem} failed"),
            source,
        };
        let sampler = steady(sampler);
        let mut environment = (self.make)(problem);
        let mut episode = Episode::default();
        let mut observation = environment.start().await.map_err(hook)?;
        loop {
            episode.observe(self.encode(observation)?);
            let input = ModelInput::from(&episode.tokens[..]);
            let params = params.clone().with_seed(seed_of(seed, 0, episode.actions));
            let failed = |error| TrainError::client("a sample failed", error);
            let response = sampler.sample(input, params).await.map_err(failed)?;
            let sequence = response.sequences.into_iter().next().ok_or_else(|| {
                TrainError::Refused("the server returned no sequence for an action".to_owned())
            })?;
            let logprobs = sequence.logprobs.unwrap_or_default();
            if logprobs.len() != sequence.tokens.len() {
                let what =
                    "the server returned no log probabilities of an action, which the loss needs";
                return Err(TrainError::Refused(what.to_owned()));
            }
            episode.act(&sequence.tokens, &logprobs);
            let text = self.renderer.answer(&sequence.tokens);
            let text = text.map_err(|error| TrainError::Hook {
                what: "an action cannot be decoded".to_owned(),
                source: error.into(),
            })?;
            let text = without_empty_thought(&text).to_owned();
            let action = Action {
                text,
                tokens: sequence.tokens,
            };
            let reaction = environment.act(&action).await.map_err(hook)?;
            if !reaction.reward.is_finite() {
                let what = format!(
                    "the reward of problem {problem} is {}; it must be finite",
                    reaction.reward
                );
                return Err(TrainError::Refused(what));
            }
            episode.reward += reaction.reward;
            episode.is_cut = reaction.next.is_some() && episode.actions >= self.max_actions;
            match reaction.next {
                Some(next) if !episode.is_cut => observation = next,
                _ => return Ok(episode),
            }
        }
    }

    fn encode(&self, observation: Observation) -> Result<Vec<u32>, TrainError> {
        let text = match observation {
            Observation::Tokens(tokens) => return Ok(tokens),
            Observation::Text(text) => text,
        };
        let failed = |source: BoxError| TrainError::Hook {
            what: "an observation cannot be encoded".to_owned(),
            source,
        };
        let input = self
            .renderer
            .text(&text)
            .map_err(|error| failed(error.into()))?;
        input.to_tokens().map_err(|error| failed(error.into()))
    }

    async fn step(&self, position: Position<'_>) -> Result<Batch, TrainError> {
        let sampler = position.sampler.ok_or_else(|| {
            TrainError::Refused("reinforcement learning needs a sampler".to_owned())
        })?;
        let problems = self.order.batch(position.batch);
        let of_group = self.group_size.max(1);
        let plays = problems
            .iter()
            .flat_map(|problem| std::iter::repeat_n(*problem, of_group));
        let plays: Vec<(usize, usize)> = plays.enumerate().collect();
        let play = |(row, problem): (usize, usize)| {
            let seed = seed_of(self.seed, position.batch, row);
            self.play(sampler, problem, self.params(), seed)
        };
        let episodes = futures_util::stream::iter(plays).map(play);
        let episodes: Vec<Episode> = episodes.buffered(IN_FLIGHT).try_collect().await?;
        let mut batch = Batch::new(Vec::new(), self.loss.clone());
        let mut dropped = 0;
        let mut learned = Vec::new();
        for group in episodes.chunks(of_group) {
            let rewards: Vec<f64> = group.iter().map(|episode| episode.reward).collect();
            let Some(advantages) = advantages(&rewards) else {
                dropped += 1;
                continue;
            };
            for (episode, advantage) in group.iter().zip(advantages) {
                batch.learned += episode.action_tokens();
                learned.push(self.datum(episode, advantage));
            }
        }
        let data = futures_util::stream::iter(learned).buffered(IN_FLIGHT);
        batch.data = data.try_collect().await?;
        let lengths = batch.data.iter();
        batch.tokens = lengths
            .filter_map(|datum| datum.model_input.length().ok())
            .sum();
        batch.metrics = metrics(&episodes, of_group, dropped);
        if self.reference.is_some()
            && let Some(prefilled) = batch.metrics.get_mut("prefilled_tokens")
        {
            // The reference reads whole episodes.
            *prefilled += batch.tokens as f64;
        }
        batch.measure = Some(drift_of(&batch.data));
        Ok(batch)
    }

    async fn datum(&self, episode: &Episode, advantage: f64) -> Result<Datum, TrainError> {
        let sampled: Vec<f32> = episode.logprobs.iter().copied().flatten().collect();
        let advantages = match &self.reference {
            None => vec![advantage as f32; sampled.len()],
            Some((reference, coefficient)) => {
                let found = reference_logprobs(reference, episode.tokens.clone()).await?;
                let of_actions = found.iter().zip(&episode.logprobs);
                let of_actions = of_actions.filter(|(_, sampled)| sampled.is_some());
                let found: Vec<f32> = of_actions.map(|(found, _)| *found).collect();
                with_penalty(advantage, *coefficient, &sampled, &found)
            }
        };
        episode.datum(&advantages, &self.loss)
    }
}

impl Episode {
    fn observe(&mut self, tokens: Vec<u32>) {
        self.logprobs
            .extend(std::iter::repeat_n(None, tokens.len()));
        self.tokens.extend(tokens);
    }

    fn act(&mut self, tokens: &[u32], logprobs: &[f32]) {
        self.tokens.extend(tokens);
        self.logprobs.extend(logprobs.iter().copied().map(Some));
        self.actions += 1;
    }

    fn action_tokens(&self) -> usize {
        self.logprobs.iter().flatten().count()
    }

    /// The whole episode as one datum, with the advantages of the tokens of actions; those of observations have 0.
    fn datum(&self, of_actions: &[f32], loss: &Loss) -> Result<Datum, TrainError> {
        let start = self
            .logprobs
            .iter()
            .take_while(|logprob| logprob.is_none())
            .count();
        let logprobs = &self.logprobs[start..];
        let values: Vec<f32> = logprobs
            .iter()
            .map(|logprob| logprob.unwrap_or(0.0))
            .collect();
        let mut of_actions = of_actions.iter().copied();
        let advantages: Vec<f32> = logprobs
            .iter()
            .map(|logprob| logprob.and_then(|_| of_actions.next()).unwrap_or(0.0))
            .collect();
        let invalid = |error: InvalidValue| TrainError::Refused(format!("an episode: {error}"));
        let (prompt, rest) = self.tokens.split_at(start);
        let datum = Datum::reinforced(prompt, rest, &values, &advantages).map_err(invalid)?;
        if loss.name != LossFn::Gspo {
            return Ok(datum);
        }
        let (_, mask) = sampled_logprobs(&datum);
        Ok(datum.with_input("sequence_ratio_mask", mask))
    }
}

fn metrics(episodes: &[Episode], of_group: usize, dropped: usize) -> BTreeMap<String, f64> {
    let count = episodes.len().max(1) as f64;
    let sum = |value: &dyn Fn(&Episode) -> f64| episodes.iter().map(value).sum::<f64>();
    let sampled = sum(&|episode| episode.action_tokens() as f64);
    let all = sum(&|episode| episode.tokens.len() as f64);
    let surprise = sum(&|episode| {
        -episode
            .logprobs
            .iter()
            .flatten()
            .map(|lp| f64::from(*lp))
            .sum::<f64>()
    });
    let metrics = [
        ("reward", sum(&|episode| episode.reward) / count),
        ("groups", (episodes.len() / of_group) as f64),
        ("groups_dropped", dropped as f64),
        ("actions", sum(&|episode| episode.actions as f64) / count),
        (
            "episodes_cut",
            sum(&|episode| f64::from(u8::from(episode.is_cut))),
        ),
        ("sampled_tokens", sampled),
        // Each token once: servers keep the beginning of a sequence that they have read.
        ("prefilled_tokens", all - sampled),
        ("entropy", surprise / sampled.max(1.0)),
    ];
    metrics.map(|(name, value)| (name.to_owned(), value)).into()
}

impl Recipe for Episodes {
    fn samples(&self) -> bool {
        true
    }

    fn batch<'a>(&'a self, position: Position<'a>) -> BoxFuture<'a, Result<Batch, TrainError>> {
        self.step(position).boxed()
    }
}

impl fmt::Debug for Episodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Episodes")
            .field("group_size", &self.group_size)
            .field("max_actions", &self.max_actions)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
