//! How a conversation is written down for a model.

use std::sync::Arc;

use super::jinja::Jinja;
use super::piece::Piece;
use super::{ChatError, Message, plain};

/// How a conversation is written down for a model. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Template(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Plain,
    Jinja(Arc<Jinja>),
}

impl Template {
    /// The template of the built-in model: `System: ..`, `User: ..` and `Assistant: ..`, one line a
    /// turn, with the end token after each answer.
    pub fn plain() -> Self {
        Self(Kind::Plain)
    }

    /// A Jinja template as Hugging Face models bring it, in `chat_template.jinja` or under
    /// `chat_template` in `tokenizer_config.json`. `special_tokens` are the names it may use, for
    /// example `("eos_token", "<|im_end|>")`.
    ///
    /// ```
    /// use tinker_client::chat::Template;
    ///
    /// let source = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}{% endfor %}\
    ///               {% if add_generation_prompt %}<|assistant|>{% endif %}";
    /// let template = Template::jinja(source, [("eos_token", "</s>")])?;
    /// # Ok::<(), tinker_client::chat::ChatError>(())
    /// ```
    ///
    /// # Errors
    /// Source that is no Jinja.
    pub fn jinja<N, T>(
        source: &str,
        special_tokens: impl IntoIterator<Item = (N, T)>,
    ) -> Result<Self, ChatError>
    where
        N: Into<String>,
        T: Into<String>,
    {
        let special_tokens = special_tokens
            .into_iter()
            .map(|(name, token)| (name.into(), token.into()))
            .collect();
        Ok(Self(Kind::Jinja(Arc::new(Jinja::new(
            source,
            special_tokens,
        )?))))
    }

    /// The whole conversation, its answers marked as learned.
    pub(super) fn render(&self, messages: &[Message]) -> Result<Vec<Piece>, ChatError> {
        match &self.0 {
            Kind::Plain => plain::render(messages),
            Kind::Jinja(jinja) => jinja.render(messages),
        }
    }

    /// The conversation up to where the model's answer begins.
    pub(super) fn render_prompt(&self, messages: &[Message]) -> Result<Vec<Piece>, ChatError> {
        match &self.0 {
            Kind::Plain => plain::render_prompt(messages),
            Kind::Jinja(jinja) => jinja.render_prompt(messages),
        }
    }
}
