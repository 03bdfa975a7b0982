//! Jinja chat templates, as Hugging Face models have them.

use std::collections::BTreeMap;
use std::ops::Range;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, Value};

use super::conversation::Conversation;
use super::message::Role;
use super::piece::Piece;
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

    /// Renders the whole conversation and marks the answers as learned.
    ///
    /// An answer is what the template adds to the prompt before it. That is well defined only if
    /// the template renders earlier messages the same way whatever follows; other templates are an error.
    pub(super) fn render(&self, conversation: &Conversation) -> Result<Vec<Piece>, ChatError> {
        let whole = self.write(conversation, false)?;
        let mut pieces = Vec::new();
        let mut done = 0;
        for (index, message) in conversation.messages.iter().enumerate() {
            if message.role != Role::Assistant {
                continue;
            }
            let answer = self.answer(conversation, index, &whole)?;
            pieces.push(Piece::text(&whole[done..answer.start], false));
            done = answer.end;
            pieces.push(Piece::text(&whole[answer], true));
        }
        pieces.push(Piece::text(&whole[done..], false));
        Ok(pieces)
    }

    pub(super) fn render_prompt(
        &self,
        conversation: &Conversation,
    ) -> Result<Vec<Piece>, ChatError> {
        Ok(vec![Piece::text(self.write(conversation, true)?, false)])
    }

    /// Byte range of the answer with this index within the `whole` conversation.
    fn answer(
        &self,
        conversation: &Conversation,
        index: usize,
        whole: &str,
    ) -> Result<Range<usize>, ChatError> {
        let before = self.write(&conversation.first(index), true)?;
        let through = self.write(&conversation.first(index + 1), false)?;
        if !(through.starts_with(&before) && whole.starts_with(&through)) {
            return Err(ChatError::new(format!(
                "messages[{index}]: the template renders this answer differently when more messages follow, so its tokens cannot be identified; train on conversations that end with it"
            )));
        }
        // White space after the end token belongs to the template, not to the answer.
        let trimmed = through.trim_end();
        let ends = self
            .special_tokens
            .get("eos_token")
            .is_some_and(|end| trimmed.ends_with(end.as_str()));
        let end = if ends && trimmed.len() >= before.len() {
            trimmed.len()
        } else {
            through.len()
        };
        Ok(before.len()..end)
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

    const CHATML: &str = "{%- for message in messages %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content.strip() + '<|im_end|>' + '\\n' }}
    {%- endfor %}
    {%- if add_generation_prompt %}
        {{- '<|im_start|>assistant\\n' }}
    {%- endif %}";

    fn chatml() -> Jinja {
        let tokens = BTreeMap::from([("eos_token".to_owned(), "<|im_end|>".to_owned())]);
        Jinja::new(CHATML, tokens).unwrap()
    }

    #[test]
    fn answers_are_learned_with_their_end_token() {
        let messages = [
            Message::user("Hi"),
            Message::assistant("Hello"),
            Message::user("Bye"),
            Message::assistant("Bye"),
        ];
        let pieces = chatml().render(&messages.into()).unwrap();
        assert_eq!(
            pieces,
            [
                Piece::text(
                    "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
                    false
                ),
                Piece::text("Hello<|im_end|>", true),
                Piece::text(
                    "\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n",
                    false
                ),
                Piece::text("Bye<|im_end|>", true),
                Piece::text("\n", false),
            ]
        );
    }

    #[test]
    fn a_template_that_rewrites_earlier_turns_is_refused() {
        let source = "{% for m in messages %}{% if loop.last %}[{{ m.content }}]{% else %}({{ m.content }}){% endif %}{% endfor %}";
        let jinja = Jinja::new(source, BTreeMap::new()).unwrap();
        let error = jinja.render(&[Message::user("a"), Message::assistant("b")].into());
        assert!(error.unwrap_err().to_string().starts_with("messages[1]"));
    }

    #[test]
    fn a_template_may_refuse() {
        let jinja = Jinja::new("{{ raise_exception('no system turn') }}", BTreeMap::new()).unwrap();
        let error = jinja.render(&[Message::system("x")].into()).unwrap_err();
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
