//! Held-out questions: prompts with the answers that the data expects.

use tinker_types::ModelInput;

use super::encode::{LengthLimit, not_encodable, too_long};
use super::error::DatasetError;
use super::example::{Example, Row};
use crate::chat::{Conversation, Message, Renderer, Role};
use crate::error::ChatError;

/// Tokens that a sampled answer may have beyond the expected one, so that a longer answer is recognised as wrong.
const SPARE_TOKENS: usize = 8;

/// A prompt and the answer that the data expects.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Line number in the data file, from 1.
    pub line: usize,
    /// The prompt.
    pub prompt: Prompt,
    /// The expected answer.
    pub expected: String,
}

/// The prompt of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Prompt {
    /// Text to continue.
    Text(String),
    /// A conversation to which the assistant replies.
    Chat(Conversation),
}

impl Prompt {
    /// The text, or that of the last message.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Chat(conversation) => conversation.messages.last().map_or("", Message::text),
        }
    }
}

impl Row {
    /// The question that the last learned part of the example answers.
    pub fn question(&self) -> Question {
        let (prompt, expected) = match &self.example {
            Example::Completion { prompt, completion } => {
                (Prompt::Text(prompt.clone()), completion.clone())
            }
            Example::Chat(conversation) => {
                let messages = &conversation.messages;
                let is_answer = |message: &Message| message.role == Role::Assistant;
                let at = messages.iter().rposition(is_answer).unwrap_or_default();
                let expected = messages.get(at).map_or("", Message::text).to_owned();
                (Prompt::Chat(conversation.first(at)), expected)
            }
        };
        Question {
            line: self.line,
            prompt,
            expected,
        }
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
    /// Encodes `questions` of the file at `path`. Each has to fit the limit together with its expected answer.
    ///
    /// # Errors
    /// Lines that the renderer cannot encode or that are too long, all of them at once.
    pub fn new(
        renderer: &Renderer,
        path: &std::path::Path,
        questions: &[Question],
        limit: LengthLimit,
    ) -> Result<Self, DatasetError> {
        let mut errors = Vec::new();
        let mut encoded = Self::default();
        for question in questions {
            let (prompt, answer) = match encode(renderer, question) {
                Ok(lengths) => lengths,
                Err(error) => {
                    errors.push(not_encodable(&error).at(question.line));
                    continue;
                }
            };
            let whole = prompt.len() + answer;
            let room = match limit {
                LengthLimit::Refuse(most) if whole > most => {
                    errors.push(too_long(whole, most).at(question.line));
                    continue;
                }
                LengthLimit::LeaveOut(most) if whole > most => {
                    encoded.left_out += 1;
                    continue;
                }
                LengthLimit::Refuse(most) | LengthLimit::LeaveOut(most) => most - prompt.len(),
                LengthLimit::Unknown => usize::MAX,
            };
            encoded.questions.push(question.clone());
            let prompt = ModelInput::from_tokens(prompt);
            encoded
                .requests
                .push((prompt, (answer + SPARE_TOKENS).min(room)));
        }
        DatasetError::unless_empty(path, errors)?;
        Ok(encoded)
    }

    /// Largest number of tokens that sampling all answers generates.
    pub fn max_tokens(&self) -> usize {
        self.requests.iter().map(|(_, max_tokens)| max_tokens).sum()
    }
}

/// The tokens of the prompt, and the number of tokens of the expected answer with its end token.
fn encode(renderer: &Renderer, question: &Question) -> Result<(Vec<u32>, usize), ChatError> {
    let tokenizer = renderer.tokenizer();
    let answer = tokenizer.encode(&question.expected)?.len() + 1;
    let prompt = match &question.prompt {
        Prompt::Text(text) => tokenizer.encode(text)?,
        // A rendered prompt is text alone, so it always has tokens.
        Prompt::Chat(conversation) => renderer
            .prompt(conversation)?
            .to_tokens()
            .unwrap_or_default(),
    };
    Ok((prompt, answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(limit: LengthLimit) -> Result<EncodedQuestions, DatasetError> {
        let question = |expected: &str| Question {
            line: 1,
            prompt: Prompt::Text("ask".into()),
            expected: expected.into(),
        };
        let questions = [question("ab"), question("abcdef")];
        EncodedQuestions::new(&Renderer::plain(), "x.jsonl".as_ref(), &questions, limit)
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
        let question = Row { line: 9, example }.question();
        assert_eq!(
            (question.prompt.text(), question.expected.as_str()),
            ("c", "d")
        );
    }
}
