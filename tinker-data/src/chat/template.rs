//! Chat templates: the text form of a conversation.

use super::conversation::Conversation;
#[cfg(feature = "templates")]
use super::jinja::Jinja;
use super::plain;
use super::rendered::Rendered;
use crate::error::ChatError;
#[cfg(feature = "templates")]
use crate::model_folder::TokenizerConfig;

/// A chat template: the text form of a conversation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Template(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Plain,
    #[cfg(feature = "templates")]
    Jinja(std::sync::Arc<Jinja>),
}

impl Template {
    /// The template of the built-in model: `System: ..`, `User: ..` and `Assistant: ..`, one line per
    /// message, with the end token after each answer.
    pub fn plain() -> Self {
        Self(Kind::Plain)
    }

    /// A Jinja template as Hugging Face models have it, in `chat_template.jinja` or under
    /// `chat_template` in `tokenizer_config.json`. `special_tokens` are the names that it can use, for
    /// example `("eos_token", "<|im_end|>")`.
    ///
    /// ```
    /// use tinker_data::Template;
    ///
    /// let source = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}{% endfor %}\
    ///               {% if add_generation_prompt %}<|assistant|>{% endif %}";
    /// let template = Template::jinja(source, [("eos_token", "</s>")])?;
    /// # Ok::<(), tinker_data::ChatError>(())
    /// ```
    ///
    /// # Errors
    /// Source that is not valid Jinja.
    #[cfg(feature = "templates")]
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
        Ok(Self(Kind::Jinja(std::sync::Arc::new(Jinja::new(
            source,
            special_tokens,
        )?))))
    }

    /// The template of a Hugging Face model, from its folder: `chat_template.jinja`, else the one in
    /// `tokenizer_config.json`.
    ///
    /// # Errors
    /// Files that cannot be read, or a model without a template.
    #[cfg(feature = "templates")]
    pub fn from_folder(folder: impl AsRef<std::path::Path>) -> Result<Self, ChatError> {
        let folder = folder.as_ref();
        let config = TokenizerConfig::read(folder)?;
        let path = folder.join("chat_template.jinja");
        let source = if path.exists() {
            std::fs::read_to_string(&path).map_err(|error| {
                ChatError::new(format!("{}: cannot be read", path.display())).with_source(error)
            })?
        } else {
            config.chat_template().ok_or_else(|| {
                ChatError::new(format!(
                    "{}: has neither chat_template.jinja nor a chat_template in tokenizer_config.json; choose a template with Renderer::new",
                    folder.display()
                ))
            })?
        };
        Self::jinja(&source, config.special_tokens())
    }

    /// The text of the conversation, followed by the start of the next answer if `is_prompt`.
    pub(crate) fn render(
        &self,
        conversation: &Conversation,
        is_prompt: bool,
    ) -> Result<Rendered, ChatError> {
        match &self.0 {
            Kind::Plain => plain::render(&conversation.messages, is_prompt),
            #[cfg(feature = "templates")]
            Kind::Jinja(jinja) => jinja.render(conversation, is_prompt),
        }
    }
}
