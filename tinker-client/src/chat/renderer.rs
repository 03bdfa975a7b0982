//! Messages to prompts and examples.

use tinker_types::{Datum, ModelInfo, ModelInput};

use super::piece::{self, Piece};
use super::{ChatError, Message, Role, Template, Tokenizer};

/// Writes conversations as tokens: prompts to sample from, examples to learn from. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Renderer {
    tokenizer: Tokenizer,
    template: Template,
}

impl Renderer {
    /// Joins a tokenizer and a template that belong to the same model.
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
    #[cfg(feature = "tokenizers")]
    pub fn from_folder(folder: impl AsRef<std::path::Path>) -> Result<Self, ChatError> {
        let folder = folder.as_ref();
        let template = super::hugging_face::template(folder)?;
        Ok(Self::new(Tokenizer::from_folder(folder)?, template))
    }

    /// Tokenizer and template a model says it has, if they need no files.
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

    /// The conversation so far and the opening of the model's answer, to sample from.
    ///
    /// # Errors
    /// No messages, or messages the template does not take.
    pub fn prompt(&self, messages: &[Message]) -> Result<ModelInput, ChatError> {
        if messages.is_empty() {
            return Err(ChatError::new(
                "messages: there are none; give at least one",
            ));
        }
        let pieces = self.template.render_prompt(messages)?;
        let (tokens, _) = piece::encode(&pieces, &self.tokenizer)?;
        Ok(ModelInput::from_tokens(tokens))
    }

    /// An example for cross entropy: weight 1 on the assistant's tokens, the end of each turn
    /// included, and 0 on everything else. Every answer counts, not only the last; what follows
    /// the last answer is left out.
    ///
    /// # Errors
    /// A conversation without an answer, or one the template does not take.
    pub fn supervised(&self, messages: &[Message]) -> Result<Datum, ChatError> {
        if !messages
            .iter()
            .any(|message| message.role == Role::Assistant)
        {
            let what = "messages: no turn of the assistant, so there is nothing to learn";
            return Err(ChatError::new(what));
        }
        self.example(&self.template.render(messages)?)
    }

    /// An example for cross entropy without turns: learn `completion` and the end token after
    /// `prompt`.
    ///
    /// # Errors
    /// A tokenizer without an end token, or a text its vocabulary cannot express.
    pub fn completion(&self, prompt: &str, completion: &str) -> Result<Datum, ChatError> {
        let pieces = [
            Piece::text(prompt, false),
            Piece::text(completion, true),
            Piece::END,
        ];
        self.example(&pieces)
    }

    /// The text of sampled tokens, without the token that ended them.
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
        // The first token is only read, never predicted.
        if !weights.iter().skip(1).any(|&weight| weight > 0.0) {
            return Err(ChatError::new(
                "the example has no token to learn; its answer is empty",
            ));
        }
        Datum::weighted(&tokens, &weights)
            .map_err(|error| ChatError::new("tokens and weights do not match").because(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(tokens: &[u32]) -> String {
        let show = |&token: &u32| char::from_u32(token).filter(|_| token < 128).unwrap_or('#');
        tokens.iter().map(show).collect()
    }

    #[test]
    fn a_prompt_ends_where_the_answer_begins() {
        let messages = [Message::system("Be brief."), Message::user("Hi")];
        let prompt = Renderer::plain().prompt(&messages).unwrap();
        let tokens = prompt.to_tokens().unwrap();
        assert_eq!(shown(&tokens), "System: Be brief.\nUser: Hi\nAssistant: ");
        assert!(Renderer::plain().prompt(&[]).is_err());
    }

    #[test]
    fn every_answer_is_learned_and_nothing_else() {
        let messages = [
            Message::user("Hi"),
            Message::assistant("Yo"),
            Message::user("Bye"),
            Message::assistant("Ok"),
            Message::user("late"),
        ];
        let datum = Renderer::plain().supervised(&messages).unwrap();
        let input = datum.model_input.to_tokens().unwrap();
        assert_eq!(
            shown(&input),
            "User: Hi\nAssistant: Yo#\nUser: Bye\nAssistant: Ok"
        );
        let targets = datum.loss_fn_inputs["target_tokens"].as_i64().unwrap();
        let weights = datum.loss_fn_inputs["weights"].as_f32().unwrap();
        let learned = targets
            .iter()
            .zip(weights)
            .filter(|(_, weight)| **weight > 0.0);
        let learned: Vec<u32> = learned.map(|(token, _)| *token as u32).collect();
        assert_eq!(shown(&learned), "Yo#Ok#");
    }

    #[test]
    fn a_completion_is_what_datum_supervised_makes() {
        let datum = Renderer::plain().completion("ab", "c").unwrap();
        assert_eq!(datum, Datum::supervised(&[97, 98], &[99, 256]));
    }

    #[test]
    fn nothing_to_learn_is_refused() {
        assert!(
            Renderer::plain()
                .supervised(&[Message::user("Hi")])
                .is_err()
        );
        let tool = [
            Message::new(Role::Other("tool".into()), "x"),
            Message::assistant("y"),
        ];
        let error = Renderer::plain().supervised(&tool).unwrap_err().to_string();
        assert!(error.starts_with("messages[0].role"), "{error}");
    }

    #[test]
    fn an_answer_drops_its_end() {
        assert_eq!(Renderer::plain().answer(&[72, 105, 256]).unwrap(), "Hi");
    }
}
