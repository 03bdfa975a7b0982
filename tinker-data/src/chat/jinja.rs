//! Jinja chat templates, as Hugging Face models have them.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, Value};

use super::conversation::Conversation;
use super::rendered::Rendered;
use crate::error::ChatError;

/// Name of the template within its environment; error messages show it.
const NAME: &str = "chat_template";

/// Limit on the steps of one rendering, about 100 times what a long conversation takes. Templates are untrusted, and
/// nested loops would otherwise run without end.
const FUEL: u64 = 20_000_000;

/// A compiled template and the special tokens that it can refer to.
#[derive(Debug)]
pub(super) struct Jinja {
    environment: Environment<'static>,
    special_tokens: BTreeMap<String, String>,
}

impl Jinja {
    pub(super) fn new(
        source: &str,
        special_tokens: BTreeMap<String, String>,
    ) -> Result<Self, ChatError> {
        let refuse = |error: minijinja::Error| {
            ChatError::new("the chat template is not valid Jinja").with_source(error)
        };
        // The white-space settings of `transformers`, for which the templates are written.
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .map_err(refuse)?;
        let mut environment = Environment::new();
        environment.set_syntax(syntax);
        environment.set_fuel(Some(FUEL));
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<Value, _> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        environment
            .add_template_owned(NAME, without_generation_marks(source))
            .map_err(refuse)?;
        Ok(Self {
            environment,
            special_tokens,
        })
    }

    /// The text of the conversation, followed by the start of the next answer if `is_prompt`.
    pub(super) fn render(
        &self,
        conversation: &Conversation,
        is_prompt: bool,
    ) -> Result<Rendered, ChatError> {
        Ok(Rendered::text(self.write(conversation, is_prompt)?))
    }

    fn write(&self, conversation: &Conversation, is_prompt: bool) -> Result<String, ChatError> {
        let messages: Vec<Value> = conversation
            .messages
            .iter()
            .map(|message| {
                Value::from_pairs([("role", message.role.as_str()), ("content", message.text())])
            })
            .collect();
        let special_tokens = self
            .special_tokens
            .iter()
            .map(|(name, token)| (name.as_str(), Value::from(token.as_str())));
        let context = Value::from_pairs(special_tokens.chain([
            ("messages", Value::from(messages)),
            ("add_generation_prompt", Value::from(is_prompt)),
        ]));
        self.environment
            .get_template(NAME)
            .and_then(|template| template.render(context))
            .map_err(|error| {
                ChatError::new("the chat template does not accept these messages")
                    .with_source(error)
            })
    }
}

/// Replaces `{% generation %}` and `{% endgeneration %}`, which mark answers for other tools and render nothing, by
/// comments with the same white-space control.
fn without_generation_marks(source: &str) -> String {
    let mut kept = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        // Starts after the opening mark: in `{%}` opening and closing mark would share a character.
        let (before, inside) = (&rest[..start], &rest[start + 2..]);
        let Some((tag, after)) = inside.split_once("%}") else {
            break;
        };
        rest = after;
        let word = tag.trim_matches(|c: char| matches!(c, '-' | '+') || c.is_whitespace());
        if matches!(word, "generation" | "endgeneration") {
            kept.extend([before, "{#", &tag.replace(word, ""), "#}"]);
        } else {
            kept.extend([before, "{%", tag, "%}"]);
        }
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Message;

    #[test]
    fn a_template_may_refuse() {
        let jinja = Jinja::new("{{ raise_exception('no system turn') }}", BTreeMap::new()).unwrap();
        let error = jinja
            .render(&[Message::system("x")].into(), false)
            .unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("no system turn"), "{source}");
    }

    #[test]
    fn an_endless_template_is_stopped() {
        let source =
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
        let jinja = Jinja::new(source, BTreeMap::new()).unwrap();
        let error = jinja.write(&[].into(), false).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("fuel"), "{source}");
    }

    #[test]
    fn marks_that_are_none_are_left_to_the_parser() {
        for source in [
            "{%}",
            "{%%}",
            "{%",
            "{% generation",
            "a{%} b {% generation %}",
        ] {
            assert!(Jinja::new(source, BTreeMap::new()).is_err(), "{source}");
        }
    }

    #[test]
    fn generation_marks_write_nothing() {
        let source = "a {%- generation -%} b {% endgeneration %}c";
        let jinja = Jinja::new(source, BTreeMap::new()).unwrap();
        assert_eq!(jinja.write(&[].into(), false).unwrap(), "ab c");
    }
}
