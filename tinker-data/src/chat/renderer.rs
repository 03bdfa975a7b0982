//! Rendering of conversations as prompts and training examples.

use tinker_types::{Datum, ModelInfo, ModelInput};

use super::conversation::Conversation;
use super::mask;
use super::message::{Message, Role};
use super::piece::{self, Piece};
use super::template::Template;
use crate::error::ChatError;
use crate::tokenizer::Tokenizer;

/// Turns conversations into tokens: prompts to sample from, examples to train on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Renderer {
    tokenizer: Tokenizer,
    template: Template,
}

impl Renderer {
    /// Combines a tokenizer and a template, which belong to the same model.
    pub fn new(tokenizer: Tokenizer, template: Template) -> Self {
        Self {
            tokenizer,
            template,
        }
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

    /// A prompt to sample from: the conversation so far and the start of the next answer.
    ///
    /// # Errors
    /// No messages, or messages that the template does not accept.
    pub fn prompt(&self, conversation: &Conversation) -> Result<ModelInput, ChatError> {
        if conversation.messages.is_empty() {
            return Err(ChatError::new("messages is empty; pass at least one"));
        }
        let prompt = self.template.render(conversation, true)?;
        let pieces = piece::of_rendered(&prompt, false);
        let (tokens, _) = piece::encode(&pieces, &self.tokenizer)?;
        Ok(ModelInput::from_tokens(tokens))
    }

    /// A training example for cross entropy: weight 1 on the tokens of every answer of the assistant,
    /// its end token included, and 0 on all others. Messages after the last answer are left out.
    ///
    /// # Errors
    /// A conversation without an answer, or one that the template does not accept.
    pub fn supervised(&self, conversation: &Conversation) -> Result<Datum, ChatError> {
        let is_answer = |message: &Message| message.role == Role::Assistant;
        if !conversation.messages.iter().any(is_answer) {
            return Err(ChatError::new(
                "messages has no answer of the assistant, so there is nothing to learn",
            ));
        }
        self.example(&mask::pieces(&self.template, conversation)?)
    }

    /// A training example for cross entropy without messages: weight 1 on `completion` and the end
    /// token, 0 on `prompt`.
    ///
    /// # Errors
    /// A tokenizer without an end token, or a text that its vocabulary cannot express.
    pub fn completion(&self, prompt: &str, completion: &str) -> Result<Datum, ChatError> {
        let pieces = [
            Piece::text(prompt, false),
            Piece::text(completion, true),
            Piece::END,
        ];
        self.example(&pieces)
    }

    /// Text of sampled tokens, without the end token.
    ///
    /// # Errors
    /// See [`Tokenizer::decode`].
    pub fn answer(&self, tokens: &[u32]) -> Result<String, ChatError> {
        let ended = self
            .tokenizer
            .end_token()
            .is_some_and(|end| tokens.last() == Some(&end));
        let tokens = if ended {
            &tokens[..tokens.len() - 1]
        } else {
            tokens
        };
        self.tokenizer.decode(tokens)
    }

    fn example(&self, pieces: &[Piece]) -> Result<Datum, ChatError> {
        let learned = pieces.iter().rposition(|piece| piece.is_learned);
        let pieces = &pieces[..learned.map_or(0, |last| last + 1)];
        let (tokens, weights) = piece::encode(pieces, &self.tokenizer)?;
        // The first token is never predicted.
        if !weights.iter().skip(1).any(|&weight| weight > 0.0) {
            return Err(ChatError::new(
                "the example has no token to learn, because its answer is empty",
            ));
        }
        Datum::weighted(&tokens, &weights)
            .map_err(|error| ChatError::new("tokens and weights do not match").with_source(error))
    }
}

#[cfg(test)]
mod tests;
