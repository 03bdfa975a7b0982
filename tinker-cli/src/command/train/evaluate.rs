//! Evaluation on the held-out questions.

use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use tinker_client::SamplingClient;
use tinker_data::{Question, Renderer, without_empty_thought};
use tinker_types::{ModelInput, SamplingParams, Stop};

use crate::exit::Interrupted;
use crate::interrupt::Interrupt;
use crate::printer::Printer;
use crate::progress::Progress;

/// Largest number of samples in flight; the server batches them.
const IN_FLIGHT: usize = 64;

/// Number of held-out questions whose answer is exactly the one that the template writes, apart from white space at the
/// ends and a thought that is empty.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Score {
    pub(crate) exact: usize,
    pub(crate) asked: usize,
    /// `exact / asked`.
    pub(crate) rate: f64,
}

impl Score {
    /// Compares answers with the expected ones.
    pub(crate) fn of(questions: &[Question], answers: &[String]) -> Self {
        let pairs = questions.iter().zip(answers);
        let exact = pairs
            .filter(|(question, answer)| is_exact(&question.expected, answer))
            .count();
        let asked = questions.len();
        Self {
            exact,
            asked,
            rate: exact as f64 / asked.max(1) as f64,
        }
    }

    /// One line for people.
    pub(crate) fn describe(&self) -> String {
        format!(
            "{} of {} answered exactly ({:.2})",
            self.exact, self.asked, self.rate
        )
    }
}

/// Whether the answer is the expected one.
pub(crate) fn is_exact(expected: &str, answer: &str) -> bool {
    expected.trim() == answer.trim()
}

/// Samples the most likely answer to each question, in order.
pub(crate) async fn answers(
    sampler: &SamplingClient,
    renderer: &Renderer,
    requests: &[(ModelInput, usize)],
    printer: Printer,
    label: &'static str,
    interrupt: &Interrupt,
) -> anyhow::Result<Vec<String>> {
    let mut progress = Progress::start(printer, label, requests.len());
    let stop = Some(renderer.end_tokens().to_vec()).filter(|ends| !ends.is_empty());
    let mut responses = futures_util::stream::iter(requests)
        .map(|(prompt, max_tokens)| {
            let greedy = SamplingParams::default()
                .with_temperature(0.0)
                .with_max_tokens(u32::try_from(*max_tokens).unwrap_or(u32::MAX));
            let greedy = match &stop {
                Some(ends) => greedy.with_stop(Stop::Tokens(ends.clone())),
                None => greedy,
            };
            sampler.sample(prompt.clone(), greedy)
        })
        .buffered(IN_FLIGHT);
    let mut answers = Vec::with_capacity(requests.len());
    loop {
        let next = tokio::select! {
            next = responses.try_next() => next?,
            () = interrupt.requested() => return Err(Interrupted.into()),
        };
        let Some(response) = next else {
            return Ok(answers);
        };
        let tokens = response
            .sequences
            .first()
            .map(|sequence| &sequence.tokens[..]);
        let answer = renderer.answer(tokens.unwrap_or_default())?;
        answers.push(without_empty_thought(&answer).to_owned());
        progress.update(answers.len(), "");
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
