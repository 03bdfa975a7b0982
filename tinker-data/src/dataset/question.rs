//! Held-out questions: prompts with the answers that the data expects.

use std::path::Path;
use std::sync::Arc;

use tinker_types::ModelInput;

use super::encode::not_encodable;
use super::error::DatasetError;
use super::example::Example;
use super::length::{LengthLimit, too_long};
use super::prompt::Prompt;
use super::row::Row;
use crate::chat::{EncodedAnswer, Message, Renderer, Role, without_empty_thought};
use crate::error::ChatError;

/// Tokens that a sampled answer may have beyond the expected one, so that a longer answer is recognised as wrong.
const SPARE_TOKENS: usize = 8;

/// A prompt and the answer that the data expects.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The data file.
    pub path: Arc<Path>,
    /// Line number in the data file, from 1.
    pub line: usize,
    /// The prompt.
    pub prompt: Prompt,
    /// The answer as a message; `None` for a text.
    pub answer: Option<Message>,
    /// Text of the expected answer. Of [`EncodedQuestions`] as the template writes it, with reasoning and calls, and
    /// without a thought that is empty.
    pub expected: String,
}

impl Row {
    /// The question that the last learned part of the example answers. `None` for texts and tokens, which have no
    /// prompt, and for problems without a reference answer.
    pub fn question(&self) -> Option<Question> {
        let (prompt, answer) = question(&self.example)?;
        let expected = answer.text().to_owned();
        Some(Question {
            path: Arc::clone(&self.path),
            line: self.line,
            answer: matches!(prompt, Prompt::Chat(_)).then_some(answer),
            prompt,
            expected,
        })
    }
}

/// The prompt of an example with its answer.
pub(super) fn question(example: &Example) -> Option<(Prompt, Message)> {
    match example {
        Example::Completion { prompt, completion } => {
            Some((Prompt::Text(prompt.clone()), Message::assistant(completion)))
        }
        Example::Chat(conversation) => {
            let messages = &conversation.messages;
            let is_answer = |message: &Message| message.role == Role::Assistant;
            let at = messages.iter().rposition(is_answer)?;
            Some((
                Prompt::Chat(conversation.first(at)),
                messages.get(at)?.clone(),
            ))
        }
        Example::Preference { chosen, .. } => question(chosen),
        Example::Problem { prompt, answer, .. } => {
            let answer = answer.as_ref()?.as_str()?;
            Some((prompt.clone(), Message::assistant(answer)))
        }
        Example::Text(_) | Example::Tokens(_) => None,
    }
}

/// Questions as requests for samples.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct EncodedQuestions {
    /// The questions within the limit.
    pub questions: Vec<Question>,
    /// Prompt and largest number of tokens to sample for each of [`Self::questions`], in the same order.
    pub requests: Vec<(ModelInput, usize)>,
    /// Number of questions that were longer than the limit.
    pub left_out: usize,
}

impl EncodedQuestions {
    /// Encodes `questions`. Each has to fit the limit together with its expected answer.
    ///
    /// # Errors
    /// Lines that the renderer cannot encode or that are too long, all of them at once.
    pub fn new(
        renderer: &Renderer,
        questions: &[Question],
        limit: LengthLimit,
    ) -> Result<Self, DatasetError> {
        let mut errors = Vec::new();
        let mut encoded = Self::default();
        for question in questions {
            let (prompt, answer, expected) = match encode(renderer, question) {
                Ok(encoded) => encoded,
                Err(error) => {
                    errors.push(not_encodable(&error).at_line(&question.path, question.line));
                    continue;
                }
            };
            let whole = prompt.len() + answer;
            let room = match limit {
                LengthLimit::Refuse(most) if whole > most => {
                    errors.push(too_long(whole, most).at_line(&question.path, question.line));
                    continue;
                }
                LengthLimit::LeaveOut(most) | LengthLimit::Cut(most) if whole > most => {
                    encoded.left_out += 1;
                    continue;
                }
                limit => limit.most().map_or(usize::MAX, |most| most - prompt.len()),
            };
            encoded.questions.push(Question {
                expected,
                ..question.clone()
            });
            let prompt = ModelInput::from_tokens(prompt);
            encoded
                .requests
                .push((prompt, (answer + SPARE_TOKENS).min(room)));
        }
        let path = questions.first().map(|question| &*question.path);
        DatasetError::unless_empty(path.unwrap_or("".as_ref()), errors)?;
        Ok(encoded)
    }

    /// Largest number of tokens that sampling all answers generates.
    pub fn max_tokens(&self) -> usize {
        self.requests.iter().map(|(_, max_tokens)| max_tokens).sum()
    }
}

/// The tokens of the prompt, the number of tokens of the expected answer with its end token, and its text.
fn encode(
    renderer: &Renderer,
    question: &Question,
) -> Result<(Vec<u32>, usize, String), ChatError> {
    match &question.prompt {
        Prompt::Text(text) => {
            // A text has tokens alone.
            let prompt = renderer.text(text)?.to_tokens().unwrap_or_default();
            let answer = renderer.tokenizer().encode(&question.expected)?.len() + 1;
            Ok((prompt, answer, question.expected.clone()))
        }
        Prompt::Chat(conversation) => {
            let mut whole = conversation.clone();
            whole.messages.extend(question.answer.clone());
            let EncodedAnswer { prompt, answer } = renderer.question(&whole)?;
            let expected = renderer.answer(&answer)?;
            let expected = without_empty_thought(&expected).to_owned();
            Ok((prompt, answer.len(), expected))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(limit: LengthLimit) -> Result<EncodedQuestions, DatasetError> {
        let question = |expected: &str| Question {
            path: Path::new("x.jsonl").into(),
            line: 1,
            prompt: Prompt::Text("ask".into()),
            answer: None,
            expected: expected.into(),
        };
        let questions = [question("ab"), question("abcdef")];
        EncodedQuestions::new(&Renderer::plain(), &questions, limit)
    }

    fn room(encoded: &EncodedQuestions) -> Vec<usize> {
        encoded.requests.iter().map(|(_, most)| *most).collect()
    }

    #[test]
    fn answers_get_spare_tokens_within_the_limit() {
        assert_eq!(
            room(&encoded(LengthLimit::Unknown).unwrap()),
            [3 + SPARE_TOKENS, 7 + SPARE_TOKENS]
        );
        assert_eq!(room(&encoded(LengthLimit::Refuse(12)).unwrap()), [9, 9]);
        assert!(encoded(LengthLimit::Refuse(9)).is_err());
    }

    #[test]
    fn long_questions_are_left_out_like_examples() {
        let encoded = encoded(LengthLimit::LeaveOut(9)).unwrap();
        assert_eq!((encoded.questions.len(), encoded.left_out), (1, 1));
        assert_eq!(room(&encoded), [6]);
    }

    #[test]
    fn a_conversation_is_asked_for_its_last_answer() {
        let messages = [("a", "b"), ("c", "d")]
            .map(|(user, assistant)| [Message::user(user), Message::assistant(assistant)]);
        let example = Example::Chat(messages.concat().into());
        let path = Path::new("x.jsonl").into();
        let line = 9;
        let row = Row {
            path,
            line,
            example,
        };
        let question = row.question().unwrap();
        assert_eq!(
            (question.prompt.text(), question.expected.as_str()),
            ("c", "d")
        );
    }
}
