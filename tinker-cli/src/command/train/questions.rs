//! Held-out questions as tokens.

use std::path::Path;

use tinker_client::chat::{ChatError, Renderer};
use tinker_types::ModelInput;

use super::data::{DataFault, Faults};
use super::prepare::{Limit, too_long, unencodable};
use super::split::{Prompt, Question};

/// Room a sampled answer gets beyond the expected one, so that a longer answer is seen to be one.
const SPARE_TOKENS: usize = 8;

/// Questions ready to be asked.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    pub(crate) asked: Vec<Question>,
    /// The same questions as the API takes them, in the same order.
    pub(crate) requests: Vec<Request>,
    /// Questions that were too long and are not asked.
    pub(crate) left_out: usize,
}

/// One question as the API takes it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) prompt: ModelInput,
    pub(crate) max_tokens: usize,
}

impl Questions {
    /// Turns questions of the file at `path` into tokens. Each has to fit the limit together with its answer.
    pub(crate) fn new(
        renderer: &Renderer,
        path: &Path,
        questions: &[Question],
        limit: Limit,
    ) -> Result<Self, DataFault> {
        let mut faults = Faults::new(path);
        let mut ready = Self::default();
        for question in questions {
            let (prompt, answer) = match encode(renderer, question) {
                Ok(encoded) => encoded,
                Err(error) => {
                    faults.add(question.line, unencodable(&error));
                    continue;
                }
            };
            let whole = prompt.len() + answer;
            let room = match limit {
                Limit::Refuse(most) if whole > most => {
                    faults.add(question.line, too_long(whole, most));
                    continue;
                }
                Limit::LeaveOut(most) if whole > most => {
                    ready.left_out += 1;
                    continue;
                }
                Limit::Refuse(most) | Limit::LeaveOut(most) => most - prompt.len(),
                Limit::Unknown => usize::MAX,
            };
            ready.asked.push(question.clone());
            ready.requests.push(Request {
                prompt: ModelInput::from_tokens(prompt),
                max_tokens: (answer + SPARE_TOKENS).min(room),
            });
        }
        faults.into_result(ready)
    }

    /// Most tokens that asking all of them generates.
    pub(crate) fn max_tokens(&self) -> usize {
        self.requests.iter().map(|request| request.max_tokens).sum()
    }
}

/// The tokens of the prompt, and how many the expected answer has with its end.
fn encode(renderer: &Renderer, question: &Question) -> Result<(Vec<u32>, usize), ChatError> {
    let tokenizer = renderer.tokenizer();
    let answer = tokenizer.encode(&question.expected)?.len() + 1;
    let prompt = match &question.prompt {
        Prompt::Text(text) => tokenizer.encode(text)?,
        // A rendered prompt is text alone, so it always has tokens.
        Prompt::Chat(messages) => renderer.prompt(messages)?.to_tokens().unwrap_or_default(),
    };
    Ok((prompt, answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(limit: Limit) -> Result<Questions, DataFault> {
        let question = |expected: &str| Question {
            line: 1,
            prompt: Prompt::Text("ask".into()),
            expected: expected.into(),
        };
        let questions = [question("ab"), question("abcdef")];
        Questions::new(&Renderer::plain(), Path::new("x.jsonl"), &questions, limit)
    }

    fn room(questions: &Questions) -> Vec<usize> {
        questions
            .requests
            .iter()
            .map(|request| request.max_tokens)
            .collect()
    }

    #[test]
    fn answers_get_some_room_but_never_more_than_the_model_has() {
        assert_eq!(
            room(&ready(Limit::Unknown).unwrap()),
            [3 + SPARE_TOKENS, 7 + SPARE_TOKENS]
        );
        assert_eq!(room(&ready(Limit::Refuse(12)).unwrap()), [9, 9]);
        assert!(ready(Limit::Refuse(9)).is_err());
    }

    #[test]
    fn long_questions_are_left_out_where_examples_are() {
        let questions = ready(Limit::LeaveOut(9)).unwrap();
        assert_eq!((questions.asked.len(), questions.left_out), (1, 1));
        assert_eq!(room(&questions), [6]);
    }
}
