//! Rendering of conversations as prompts and training examples.

use std::sync::Arc;

use tinker_types::{ModelInfo, ModelInput};

use super::conversation::Conversation;
use super::encoded_answer::EncodedAnswer;
use super::ends::Ends;
use super::learn::Learn;
use super::mask::Mask;
use super::message::{Message, Role};
use super::rule::Rule;
use super::seam;
use super::sequence::{EncodedExample, Sequence};
use super::template::Template;
use super::tools;
use crate::error::ChatError;
use crate::tokenizer::Tokenizer;

/// Turns conversations into tokens: prompts to sample from, examples to train on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Renderer {
    tokenizer: Tokenizer,
    template: Template,
    ends: Arc<Ends>,
    learn: Learn,
    allow_empty: bool,
}

impl Renderer {
    /// Combines a tokenizer and a template, which belong to the same model.
    pub fn new(tokenizer: Tokenizer, template: Template) -> Self {
        Self {
            ends: Arc::new(Ends::new(&tokenizer, &template)),
            tokenizer,
            template,
            learn: Learn::default(),
            allow_empty: false,
        }
    }

    /// Sets which answers of a conversation are learned; by default [`Learn::Turns`].
    #[must_use]
    pub fn with_learn(mut self, learn: Learn) -> Self {
        self.learn = learn;
        self
    }

    /// Accepts answers without text, which teach the model to end at once. They are errors otherwise.
    #[must_use]
    pub fn with_empty_answers(mut self, allow_empty: bool) -> Self {
        self.allow_empty = allow_empty;
        self
    }

    /// Tokenizer and template of the built-in model.
    pub fn plain() -> Self {
        Self::new(Tokenizer::bytes(), Template::plain())
    }

    /// Tokenizer and template of a Hugging Face model, from the folder that holds its
    /// `tokenizer.json` and `tokenizer_config.json`.
    ///
    /// # Errors
    /// Files that are missing or cannot be read, or a model without a template.
    #[cfg(all(feature = "templates", feature = "tokenizers"))]
    pub fn from_folder(folder: impl AsRef<std::path::Path>) -> Result<Self, ChatError> {
        let template = Template::from_folder(&folder)?;
        Ok(Self::new(Tokenizer::from_folder(folder)?, template))
    }

    /// The tokenizer that a model names, if it needs no files, with the plain template.
    ///
    /// # Errors
    /// A model whose tokenizer has to be loaded from a folder.
    pub fn for_model(info: &ModelInfo) -> Result<Self, ChatError> {
        Ok(Self::new(Tokenizer::for_model(info)?, Template::plain()))
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The tokens that end an answer: those that the model's files name, and the one that the template writes after an
    /// answer. Sampling stops at each of them.
    pub fn end_tokens(&self) -> &[u32] {
        &self.ends.ids
    }

    /// Written forms of [`Self::end_tokens`]; the end token of the byte tokenizer has none.
    pub fn end_texts(&self) -> &[String] {
        &self.ends.written
    }

    /// Notes for the user about the end tokens: files that name none, or that name different ones.
    pub fn notes(&self) -> &[String] {
        &self.ends.notes
    }

    /// A prompt to sample from: the conversation so far and the start of the next answer.
    ///
    /// # Errors
    /// No messages, messages that the template does not accept, or tools that it does not write.
    pub fn prompt(&self, conversation: &Conversation) -> Result<ModelInput, ChatError> {
        if conversation.messages.is_empty() {
            return Err(ChatError::new("messages is empty; pass at least one"));
        }
        let prompt = self.template.render(conversation, true)?;
        tools::refuse_unwritten(conversation, &prompt.text)?;
        let tokens = seam::encode(&self.tokenizer, &prompt)?;
        Ok(ModelInput::from_tokens(tokens))
    }

    /// A text to continue, with the start token that the tokenizers of some models put before a text.
    ///
    /// # Errors
    /// A text that the vocabulary cannot express.
    pub fn text(&self, text: &str) -> Result<ModelInput, ChatError> {
        Ok(ModelInput::from_tokens(
            self.tokenizer.encode_with_special_tokens(text)?,
        ))
    }

    /// Encodes the last message, an answer of the assistant, and the prompt for it.
    ///
    /// # Errors
    /// A last message of another role, or a conversation that the template does not accept.
    pub fn question(&self, conversation: &Conversation) -> Result<EncodedAnswer, ChatError> {
        let Some(last) = conversation.messages.last() else {
            return Err(ChatError::new("messages is empty; pass at least one"));
        };
        if last.role != Role::Assistant {
            return Err(ChatError::new(
                "the last message is not an answer of the assistant",
            ));
        }
        let (prompt, answer, _) = self
            .mask()
            .answer(conversation, conversation.messages.len() - 1)?;
        Ok(EncodedAnswer { prompt, answer })
    }

    /// The template.
    pub(super) fn template(&self) -> &Template {
        &self.template
    }

    /// Everything beside tokenizer and template that determines what is learned.
    pub(super) fn options(&self) -> (Learn, bool) {
        (self.learn, self.allow_empty)
    }

    fn mask(&self) -> Mask<'_> {
        Mask {
            tokenizer: &self.tokenizer,
            template: &self.template,
            ends: &self.ends,
        }
    }

    /// Training examples for cross entropy: weight 1, or that of the message, on the tokens of the answers that
    /// [`Self::with_learn`] selects, each up to and with its end token, and 0 on all others. The tokens before an answer are those of its
    /// prompt, as it is sampled. Messages after the last learned answer are left out.
    ///
    /// ```
    /// use tinker_data::{Message, Renderer};
    ///
    /// let messages = [Message::user("Hi"), Message::assistant("Hello")].into();
    /// let examples = Renderer::plain().supervised(&messages)?;
    /// assert_eq!(examples[0].learned, 6); // five letters and the end token
    /// # Ok::<(), tinker_data::ChatError>(())
    /// ```
    ///
    /// # Errors
    /// A conversation without an answer to learn or with an empty one, or one that the template does not accept.
    pub fn supervised(
        &self,
        conversation: &Conversation,
    ) -> Result<Vec<EncodedExample>, ChatError> {
        let answers = conversation.messages.iter().enumerate();
        let answers = answers.filter(|(_, message)| message.role == Role::Assistant);
        let answers: Vec<(usize, &Message)> = answers.collect();
        let considered = match self.learn {
            Learn::Last => &answers[answers.len().saturating_sub(1)..],
            _ => &answers,
        };
        if considered.is_empty() {
            return Err(ChatError::new(
                "messages has no answer of the assistant, so there is nothing to learn",
            ));
        }
        if considered.iter().all(|(_, message)| message.weight == 0.0) {
            return Err(ChatError::new(
                "the answers of the assistant have weight 0, so there is nothing to learn",
            ));
        }
        let empty = considered.iter().find(|(_, message)| is_empty(message));
        if let Some((index, _)) = empty.filter(|_| !self.allow_empty) {
            return Err(ChatError::new(format!(
                "messages[{index}] is an empty answer, which teaches the model to say nothing; remove it, or give it weight 0"
            )));
        }
        let sequences = self.mask().sequences(conversation, self.learn)?;
        if sequences.is_empty() {
            return Err(ChatError::new(
                "the only answer opens the conversation, and the template writes no prompt for it",
            ));
        }
        sequences
            .iter()
            .map(|sequence| self.example(sequence))
            .collect()
    }

    /// A training example for cross entropy without messages: weight 1 on `completion` and the end token, 0 on `prompt`.
    /// The tokens of the prompt are those of [`Self::text`].
    ///
    /// # Errors
    /// A tokenizer without an end token, or a text that its vocabulary cannot express.
    pub fn completion(&self, prompt: &str, completion: &str) -> Result<EncodedExample, ChatError> {
        let text = format!("{prompt}{completion}");
        let parts = seam::split(&self.tokenizer, &text, &[prompt.len()], |text| {
            self.tokenizer.encode_with_special_tokens(text)
        })?;
        let (before, after) = parts.tokens.split_at(parts.cuts[0]);
        let mut sequence = Sequence::new(Rule::Given);
        sequence.extend(before, 0.0);
        sequence.extend(after, 1.0);
        sequence.extend(&[seam::end_token(&self.tokenizer)?], 1.0);
        sequence.merged = parts.merged;
        self.example(&sequence)
    }

    /// Text of sampled tokens up to the first end token.
    ///
    /// # Errors
    /// See [`Tokenizer::decode`].
    pub fn answer(&self, tokens: &[u32]) -> Result<String, ChatError> {
        let end = tokens
            .iter()
            .position(|token| self.ends.ids.contains(token));
        self.tokenizer
            .decode(&tokens[..end.unwrap_or(tokens.len())])
    }

    fn example(&self, sequence: &Sequence) -> Result<EncodedExample, ChatError> {
        // The first token is never predicted.
        let pairs = sequence.tokens.iter().zip(&sequence.weights).skip(1);
        let mut learned = pairs.filter(|(_, weight)| **weight > 0.0).peekable();
        if learned.peek().is_none() {
            return Err(ChatError::new("the example has no token to learn"));
        }
        if !self.allow_empty && learned.all(|(token, _)| self.ends.ids.contains(token)) {
            return Err(ChatError::new(
                "only an end token would be learned, because the answer is empty",
            ));
        }
        EncodedExample::new(sequence)
    }
}

/// Whether an answer that is to be learned has nothing to learn.
fn is_empty(message: &Message) -> bool {
    let reasoning = message.reasoning.as_deref().unwrap_or_default();
    message.weight != 0.0
        && message.tool_calls.is_empty()
        && message.text().trim().is_empty()
        && reasoning.trim().is_empty()
}

#[cfg(test)]
mod tests;
