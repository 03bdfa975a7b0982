//! Chat templates: the text form of a conversation.

#[cfg(feature = "templates")]
use std::path::Path;
use std::sync::Arc;

use super::conversation::Conversation;
#[cfg(feature = "templates")]
use super::jinja::Jinja;
use super::plain;
use super::rendered::Rendered;
#[cfg(feature = "templates")]
use super::template_files::{self, TemplateFile};
use crate::error::ChatError;
use crate::json::Json;
#[cfg(feature = "templates")]
use crate::model_folder::TokenizerConfig;

/// A chat template: the text form of a conversation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Template {
    kind: Kind,
    /// Variables passed to the template with each conversation.
    #[cfg_attr(
        not(feature = "templates"),
        expect(dead_code, reason = "read by Jinja templates only")
    )]
    args: Arc<[(String, Json)]>,
}

#[derive(Debug, Clone)]
enum Kind {
    Plain,
    /// Refuses every conversation, with this reason.
    Refusing(Arc<str>),
    #[cfg(feature = "templates")]
    Jinja(Arc<Named>),
}

/// The templates of a model.
#[cfg(feature = "templates")]
#[derive(Debug)]
struct Named {
    default: Option<Jinja>,
    /// For conversations with tools.
    tool_use: Option<Jinja>,
    /// Names of all, for error messages.
    names: String,
}

impl Template {
    /// The template of the built-in model: `System: ..`, `User: ..` and `Assistant: ..`, one line per
    /// message, with the end token after each answer.
    pub fn plain() -> Self {
        Kind::Plain.into()
    }

    /// A template that refuses every conversation with the reason of an error. For models without a usable template,
    /// whose plain texts are of use all the same.
    pub fn refusing(error: &ChatError) -> Self {
        let mut reason = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            reason = format!("{reason}: {error}");
            cause = error.source();
        }
        Kind::Refusing(reason.into()).into()
    }

    /// A Jinja template as Hugging Face models have it. It is rendered as by `apply_chat_template` of `transformers`.
    /// `special_tokens` are the names that it can use, for example `("eos_token", "<|im_end|>")`.
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
        let jinja = Jinja::new("the chat template", source, special_tokens)?;
        Ok(Self::one(jinja))
    }

    /// The template of a Hugging Face model, from its folder: `chat_template.jinja` and the folder
    /// `additional_chat_templates`, else `chat_template` in `tokenizer_config.json`, else `chat_template.json`. Of
    /// several, the one called `tool_use` is for conversations with tools, and `default` for the others.
    ///
    /// # Errors
    /// Files that cannot be read, a model without a template, or templates that are not valid Jinja.
    #[cfg(feature = "templates")]
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, ChatError> {
        let folder = folder.as_ref();
        let config = TokenizerConfig::read(folder)?;
        let files = template_files::of_folder(folder, &config)?;
        if files.is_empty() {
            return Err(ChatError::new(format!(
                "{}: has no chat template (chat_template.jinja, or chat_template in tokenizer_config.json), so it cannot render conversations; name a template with --chat-template, or Template::from_file",
                folder.display()
            )));
        }
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        let names = names.join(", ");
        let compile = |name: &str| {
            let file = files.iter().find(|file| file.name == name);
            let compiled = file.map(|file| {
                let TemplateFile { place, source, .. } = file;
                Jinja::new(place, source, config.special_tokens())
            });
            compiled.transpose()
        };
        let named = Named {
            default: compile("default")?,
            tool_use: compile("tool_use")?,
            names,
        };
        Ok(Kind::Jinja(Arc::new(named)).into())
    }

    /// The template in a file of Jinja source. `folder` is the model's, whose special tokens the template can use.
    ///
    /// # Errors
    /// Files that cannot be read, or source that is not valid Jinja.
    #[cfg(feature = "templates")]
    pub fn from_file(file: impl AsRef<Path>, folder: Option<&Path>) -> Result<Self, ChatError> {
        let file = template_files::file("default", file.as_ref())?;
        let config = folder.map(TokenizerConfig::read).transpose()?;
        let tokens = config.map(|config| config.special_tokens());
        let jinja = Jinja::new(&file.place, &file.source, tokens.unwrap_or_default())?;
        Ok(Self::one(jinja))
    }

    /// Adds variables to all conversations, for example `enable_thinking`. Those of one conversation take precedence.
    ///
    /// # Errors
    /// The plain template, which has no variables.
    pub fn with_args(
        self,
        args: impl IntoIterator<Item = (String, Json)>,
    ) -> Result<Self, ChatError> {
        let args: Arc<[_]> = args.into_iter().collect();
        if let (Kind::Plain, Some((name, _))) = (&self.kind, args.first()) {
            return Err(ChatError::new(format!(
                "the plain template has no argument {name}"
            )));
        }
        Ok(Self { args, ..self })
    }

    /// The same template at a fixed local time, for example `2026-01-31T12:00:00`. Templates that print the date read
    /// the clock of the system otherwise.
    ///
    /// # Errors
    /// Text that is not a local time.
    #[cfg(feature = "templates")]
    pub fn at(&self, local_time: &str) -> Result<Self, ChatError> {
        let Kind::Jinja(named) = &self.kind else {
            return Ok(self.clone());
        };
        let at = |jinja: &Option<Jinja>| jinja.as_ref().map(|it| it.at(local_time)).transpose();
        let named = Named {
            default: at(&named.default)?,
            tool_use: at(&named.tool_use)?,
            names: named.names.clone(),
        };
        Ok(Self {
            kind: Kind::Jinja(Arc::new(named)),
            args: self.args.clone(),
        })
    }

    /// The text form of the conversation, followed by the start of the next answer if `is_prompt`.
    ///
    /// ```
    /// use tinker_data::{Message, Template};
    ///
    /// let rendered = Template::plain().render(&[Message::user("Hi")].into(), true)?;
    /// assert_eq!(rendered.text, "User: Hi\nAssistant: ");
    /// # Ok::<(), tinker_data::ChatError>(())
    /// ```
    ///
    /// # Errors
    /// Messages that the template does not accept. The message names the line and the expression of the template.
    pub fn render(
        &self,
        conversation: &Conversation,
        is_prompt: bool,
    ) -> Result<Rendered, ChatError> {
        match &self.kind {
            Kind::Plain => plain::render(&conversation.messages, is_prompt),
            Kind::Refusing(reason) => Err(ChatError::new(reason.to_string())),
            #[cfg(feature = "templates")]
            Kind::Jinja(named) => {
                let jinja = named.for_tools(!conversation.tools.is_empty())?;
                jinja.render(conversation, &self.args, is_prompt)
            }
        }
    }

    /// Everything that determines what the template writes; `None` if that is the time of day.
    #[cfg_attr(
        not(feature = "templates"),
        expect(clippy::unnecessary_wraps, reason = "other templates can have none")
    )]
    pub(super) fn identity(&self) -> Option<String> {
        let kind = match &self.kind {
            Kind::Plain => "plain".to_owned(),
            Kind::Refusing(reason) => format!("refusing {reason}"),
            #[cfg(feature = "templates")]
            Kind::Jinja(named) => {
                let identity = |jinja: &Option<_>| match jinja {
                    Some(jinja) => Jinja::identity(jinja),
                    None => Some("none".to_owned()),
                };
                let (names, default) = (&named.names, identity(&named.default)?);
                format!(
                    "{names}\njinja {default}\njinja {}",
                    identity(&named.tool_use)?
                )
            }
        };
        Some(format!("{kind}\n{:?}", self.args))
    }

    #[cfg(feature = "templates")]
    fn one(jinja: Jinja) -> Self {
        let named = Named {
            default: Some(jinja),
            tool_use: None,
            names: "default".to_owned(),
        };
        Kind::Jinja(Arc::new(named)).into()
    }
}

impl From<Kind> for Template {
    fn from(kind: Kind) -> Self {
        Self {
            kind,
            args: Arc::new([]),
        }
    }
}

#[cfg(feature = "templates")]
impl Named {
    fn for_tools(&self, has_tools: bool) -> Result<&Jinja, ChatError> {
        let tool_use = self.tool_use.as_ref().filter(|_| has_tools);
        tool_use.or(self.default.as_ref()).ok_or_else(|| {
            ChatError::new(format!(
                "the model has several chat templates and none is called default: {}; name one with --chat-template",
                self.names
            ))
        })
    }
}

#[cfg(all(test, feature = "templates"))]
mod tests;
