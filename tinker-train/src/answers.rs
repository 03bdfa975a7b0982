//! Evaluation by exact answers to held-out questions.

use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use tinker_client::{ModelInput, SamplingClient, SamplingParams, Stop};
use tinker_data::{Question, Renderer, without_empty_thought};

use crate::error::TrainError;
use crate::sampling::steady;

/// Largest number of samples in flight; the server batches them.
const IN_FLIGHT: usize = 64;

/// Number of held-out questions whose answer is exactly the one that the template writes, apart from white space at the
/// ends and a thought that is empty.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Score {
    /// Number of exact answers.
    pub exact: usize,
    /// Number of questions.
    pub asked: usize,
    /// `exact / asked`.
    pub rate: f64,
}

impl Score {
    /// The score of a number of exact answers.
    pub fn new(exact: usize, asked: usize) -> Self {
        Self {
            exact,
            asked,
            rate: exact as f64 / asked.max(1) as f64,
        }
    }

    /// Compares answers with the expected ones.
    pub fn of(questions: &[Question], answers: &[String]) -> Self {
        let pairs = questions.iter().zip(answers);
        let exact = pairs
            .filter(|(question, answer)| is_exact(&question.expected, answer))
            .count();
        Self::new(exact, questions.len())
    }

    /// One line for people.
    pub fn describe(&self) -> String {
        format!(
            "{} of {} answered exactly ({:.2})",
            self.exact, self.asked, self.rate
        )
    }
}

/// Whether the answer is the expected one.
pub fn is_exact(expected: &str, answer: &str) -> bool {
    expected.trim() == answer.trim()
}

/// Sampling of the most likely answers.
#[derive(Debug, Clone, Copy)]
pub struct Answers<'a> {
    renderer: &'a Renderer,
}

impl<'a> Answers<'a> {
    /// Answers that end as the renderer's template ends them.
    pub fn new(renderer: &'a Renderer) -> Self {
        Self { renderer }
    }

    /// Samples the most likely answer to each prompt, of at most as many tokens as given, in order. Calls `progress` with
    /// the number of answers so far. Dropping the future cancels the samples.
    ///
    /// # Errors
    /// A sample that fails, or an answer that cannot be decoded.
    pub async fn sample(
        self,
        sampler: &SamplingClient,
        requests: &[(ModelInput, usize)],
        progress: &mut (dyn FnMut(usize) + Send),
    ) -> Result<Vec<String>, TrainError> {
        let sampler = steady(sampler);
        let stop = Some(self.renderer.end_tokens().to_vec()).filter(|ends| !ends.is_empty());
        let mut responses = futures_util::stream::iter(requests.to_vec())
            .map(|(prompt, max_tokens)| {
                let greedy = SamplingParams::default()
                    .with_temperature(0.0)
                    .with_max_tokens(u32::try_from(max_tokens).unwrap_or(u32::MAX));
                let greedy = match &stop {
                    Some(ends) => greedy.with_stop(Stop::Tokens(ends.clone())),
                    None => greedy,
                };
                sampler.sample(prompt, greedy)
            })
            .buffered(IN_FLIGHT);
        let mut answers = Vec::with_capacity(requests.len());
        let failed = |error| TrainError::client("a sample failed", error);
        while let Some(response) = responses.try_next().await.map_err(failed)? {
            let tokens = response
                .sequences
                .first()
                .map(|sequence| &sequence.tokens[..]);
            let answer = self.renderer.answer(tokens.unwrap_or_default());
            let answer = answer.map_err(|error| TrainError::Hook {
                what: "an answer cannot be decoded".to_owned(),
                source: error.into(),
            })?;
            answers.push(without_empty_thought(&answer).to_owned());
            progress(answers.len());
        }
        Ok(answers)
    }
}

#[cfg(test)]
mod tests {
    use tinker_data::Prompt;

    use super::*;

    #[test]
    fn white_space_at_the_ends_does_not_count() {
        let question = |expected: &str| Question {
            path: std::path::Path::new("x.jsonl").into(),
            line: 1,
            prompt: Prompt::Text("p".into()),
            answer: None,
            expected: expected.to_owned(),
        };
        let questions = [
            question(" a b"),
            question("c"),
            question("d"),
            question("e"),
        ];
        let answers = ["a b\n", "C", "d", ""].map(str::to_owned);
        let score = Score::of(&questions, &answers);
        assert_eq!((score.exact, score.asked), (2, 4));
        assert!((score.rate - 0.5).abs() < 1e-12);
    }
}
