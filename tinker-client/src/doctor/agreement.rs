//! Agreement of the sampler's log probabilities with those of the trainer.

use futures_util::future::{BoxFuture, FutureExt as _};
use tinker_types::{ModelInput, SamplingParams};

use super::adapter::score;
use super::finding::{Finding, told};
use super::sampling::LENGTH;
use super::subject::Subject;
use crate::error::Error;
use crate::sampling::options::SampleOptions;

/// Mean difference, in nats, up to which sampler and trainer count as one model.
const CLOSE: f64 = 0.05;
/// Mean difference up to which importance weights correct it.
const NEAR: f64 = 0.3;

/// Mean absolute difference of two lists; infinite if one is empty or they differ in length.
fn distance(left: &[f32], right: &[f32]) -> f64 {
    if left.is_empty() || left.len() != right.len() {
        return f64::INFINITY;
    }
    let pairs = left.iter().zip(right);
    let sum: f64 = pairs
        .map(|(left, right)| f64::from((left - right).abs()))
        .sum();
    sum / left.len() as f64
}

/// A sample at a temperature: its log probabilities by the sampler and by the trainer.
async fn compare(subject: &Subject, temperature: f64) -> Result<(Vec<f32>, Vec<f32>), Error> {
    let sampler = subject.sampler.as_ref();
    let sampler = sampler.ok_or_else(|| crate::error::ConfigError::new("needs sample"))?;
    let params = SamplingParams::default()
        .with_max_tokens(LENGTH)
        .with_temperature(temperature)
        .with_seed(2);
    let prompt = ModelInput::from_tokens(&subject.tokens[..]);
    let response = sampler.sample(prompt, params).await?;
    let missing = || crate::error::DecodeError::new("sample", "the answer holds no sequence");
    let sequence = response.sequences.into_iter().next().ok_or_else(missing)?;
    let whole = [&subject.tokens[..], &sequence.tokens].concat();
    let trainer = score(subject, &whole).await?;
    let sampled = sequence.tokens.len();
    let trainer = trainer[trainer.len().saturating_sub(sampled)..].to_vec();
    Ok((sequence.logprobs.unwrap_or_default(), trainer))
}

pub(super) fn sampler(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        if subject.sampler.is_none() || subject.before.is_none() {
            return Finding::skipped("needs sample and forward");
        }
        let (sampler, trainer) = match compare(subject, 1.0).await {
            Ok(pair) => pair,
            Err(error) => {
                return Finding::limited(told(&error), "sampler and trainer cannot be compared");
            }
        };
        if sampler.is_empty() {
            return Finding::limited(
                "the sampler reports none",
                "losses of reinforcement learning lack the sampler's side",
            )
            .with_advice("score samples with a forward pass");
        }
        let distance = distance(&sampler, &trainer);
        let found = format!(
            "mean difference {distance:.4} nats over {} tokens",
            sampler.len()
        );
        if distance <= CLOSE {
            Finding::passed(found, "reinforcement learning is on-policy")
        } else if distance <= NEAR {
            Finding::noted(
                found,
                "reinforcement learning is slightly off-policy; importance weights correct it",
            )
        } else {
            Finding::failed(
                found,
                "the sampler runs other weights than the trainer, or reports other values",
            )
            .with_advice("do not use these log probabilities in a loss")
        }
    }
    .boxed()
}

pub(super) fn prompt(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let (Some(sampler), true) = (subject.sampler.clone(), subject.before.is_some()) else {
            return Finding::skipped("needs sample and forward");
        };
        let tokens = subject.tokens.clone();
        let params = SamplingParams::default().with_max_tokens(1).with_seed(3);
        let options = SampleOptions::new(params).with_prompt_logprobs(true);
        let input = ModelInput::from_tokens(&tokens[..]);
        let response = match sampler.sample(input, options).await {
            Ok(response) => response,
            Err(error) => {
                return Finding::limited(told(&error), "prompts cannot be scored by the sampler")
                    .with_advice("score texts with a forward pass");
            }
        };
        let trainer = match score(subject, &tokens).await {
            Ok(trainer) => trainer,
            Err(error) => return Finding::skipped(told(&error)),
        };
        let Some(listed) = response.prompt_logprobs else {
            return Finding::limited(
                "none are returned",
                "prompts cannot be scored by the sampler",
            )
            .with_advice("score texts with a forward pass");
        };
        aligned(&listed, &trainer)
    }
    .boxed()
}

/// Compares the values of a prompt with those of the trainer, at their places and one place off.
fn aligned(listed: &[Option<f32>], trainer: &[f32]) -> Finding {
    let tokens = trainer.len() + 1;
    if listed.len() != tokens {
        let found = format!("{} values for {tokens} tokens", listed.len());
        return Finding::failed(found, "values cannot be assigned to tokens")
            .with_advice("score texts with a forward pass");
    }
    // Place `i` holds the value of token `i` given those before; the trainer's list begins with token 1.
    let at = |shift: isize| {
        let pairs = trainer.iter().enumerate().filter_map(|(index, right)| {
            let place = (index + 1).checked_add_signed(shift)?;
            Some(((*listed.get(place)?)?, *right))
        });
        let (left, right): (Vec<f32>, Vec<f32>) = pairs.unzip();
        distance(&left, &right)
    };
    let here = at(0);
    if here <= NEAR {
        let found = format!("aligned, mean difference {here:.4} nats");
        return Finding::passed(found, "prompts can be scored by the sampler");
    }
    let shifted = [-1, 1].into_iter().find(|shift| at(*shift) <= CLOSE);
    let found = match shifted {
        Some(-1) => "shifted by one place to the front".to_owned(),
        Some(_) => "shifted by one place to the back".to_owned(),
        None => format!("mean difference {here:.3} nats from the trainer"),
    };
    Finding::failed(found, "scores of prompts are wrong")
        .with_advice("score texts with a forward pass")
}

pub(super) fn temperature(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        if subject.sampler.is_none() || subject.before.is_none() {
            return Finding::skipped("needs sample and forward");
        }
        let (sampler, trainer) = match compare(subject, 0.5).await {
            Ok(pair) => pair,
            Err(error) => {
                return Finding::limited(told(&error), "only temperature 1 can be sampled")
                    .with_advice("leave the temperature at 1");
            }
        };
        if sampler.is_empty() {
            return Finding::skipped("the sampler reports no log probabilities");
        }
        let distance = distance(&sampler, &trainer);
        if distance <= CLOSE {
            return Finding::noted(
                "log probabilities are those at temperature 1",
                "comparable with the trainer at every temperature, unlike on the hosted service",
            );
        }
        Finding::passed(
            format!("log probabilities are tempered, mean difference {distance:.3} nats at 0.5"),
            "as on the hosted service: comparable with the trainer at temperature 1 only",
        )
    }
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[test]
    fn a_shift_is_recognized() {
        let trainer = [-1.0, -2.0, -3.0, -4.0];
        let listed = |values: &[f32]| values.iter().map(|value| Some(*value)).collect::<Vec<_>>();
        let right = [vec![None], listed(&trainer)].concat();
        assert_eq!(aligned(&right, &trainer).status, Status::Passed);
        let front = [listed(&trainer), vec![None]].concat();
        let finding = aligned(&front, &trainer);
        assert_eq!(finding.status, Status::Failed);
        assert_eq!(finding.found, "shifted by one place to the front");
        let back = [vec![None, None], listed(&trainer[..3])].concat();
        assert_eq!(
            aligned(&back, &trainer).found,
            "shifted by one place to the back"
        );
        assert_eq!(aligned(&listed(&trainer), &trainer).status, Status::Failed);
    }
}
