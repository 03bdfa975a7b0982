//! A sample of the trained adapter.

use futures_util::future::{BoxFuture, FutureExt as _};
use tinker_types::{ModelInput, SamplingParams};

use super::checkpoints::NAME;
use super::finding::{Finding, told};
use super::subject::Subject;

/// Number of tokens of a sample.
pub(super) const LENGTH: u32 = 16;

pub(super) fn sample(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let Some(training) = subject.training.clone() else {
            return Finding::skipped("needs adapter");
        };
        let saved = match training.save_weights_for_sampler(NAME).await {
            Ok(saved) => saved,
            Err(error) => {
                return Finding::failed(told(&error), "a trained adapter cannot be sampled")
                    .with_advice("sample the base model only");
            }
        };
        subject.sampler_path = Some(saved.clone());
        let sampler = match subject.service.create_sampling_client(saved).await {
            Ok(sampler) => sampler,
            Err(error) => {
                return Finding::failed(told(&error), "a trained adapter cannot be sampled")
                    .with_advice("sample the base model only");
            }
        };
        let params = SamplingParams::default()
            .with_max_tokens(LENGTH)
            .with_seed(1);
        let prompt = ModelInput::from_tokens(&subject.tokens[..]);
        match sampler.sample(prompt, params).await {
            Ok(response) => {
                let tokens = response
                    .sequences
                    .first()
                    .map_or(0, |sequence| sequence.tokens.len());
                subject.sampler = Some(sampler);
                Finding::passed(
                    format!("{tokens} tokens"),
                    "a trained adapter can be sampled",
                )
            }
            Err(error) => Finding::failed(told(&error), "a trained adapter cannot be sampled")
                .with_advice("look at the server's log"),
        }
    }
    .boxed()
}
