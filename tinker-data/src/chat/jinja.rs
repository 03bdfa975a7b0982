//! Jinja chat templates, as Hugging Face models have them.

mod arguments;
mod check;
mod clock;
mod context;
mod depth;
mod dict;
mod dumps;
mod environment;
mod filter;
mod generating;
mod generator;
mod json;
mod letter;
mod list;
mod method;
mod number;
mod plus;
mod print;
mod refusal;
mod safe;
mod scan;
mod source;
mod text;
mod track;
mod view;

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::Arc;

use minijinja::{Environment, ErrorKind, Value};

use self::clock::Clock;
use self::source::Source;
use self::track::Track;
use super::conversation::Conversation;
use super::rendered::Rendered;
use crate::error::ChatError;
use crate::json::Json;

/// Name of the template within its environment.
const NAME: &str = "chat template";

/// Steps of one rendering. One step also pays for 64 bytes of text that the template makes, so that this bounds
/// memory: templates are untrusted.
const STEPS: u64 = 2_000_000;

/// Levels of calls of macros and loops. A macro counts as five.
const DEEPEST: usize = 300;

/// The function that gives the local time in a format.
const CLOCK: &str = "strftime_now";

/// Parts of formats that change within a day.
const TIME_OF_DAY: [&str; 14] = [
    "%H", "%-H", "%I", "%-I", "%M", "%-M", "%S", "%-S", "%p", "%f", "%c", "%X", "%T", "%s",
];

/// Longest text of one rendering, apart from what the conversation adds.
const LONGEST: usize = 64 << 20;

/// A compiled template and the special tokens that it can refer to.
#[derive(Debug)]
pub(super) struct Jinja {
    /// Name in error messages.
    place: String,
    environment: Environment<'static>,
    source: Source,
    special_tokens: BTreeMap<String, String>,
    clock: Clock,
}

impl Jinja {
    /// Compiles a template. Error messages call it `place`.
    pub(super) fn new(
        place: &str,
        source: &str,
        special_tokens: BTreeMap<String, String>,
    ) -> Result<Self, ChatError> {
        let source = Source::new(source)
            .map_err(|(line, reason)| ChatError::new(format!("{place}, line {line}: {reason}")))?;
        Self::compile(place, source, special_tokens, Clock::System)
    }

    /// The same template at a fixed local time.
    pub(super) fn at(&self, local_time: &str) -> Result<Self, ChatError> {
        Self::compile(
            &self.place,
            self.source.clone(),
            self.special_tokens.clone(),
            Clock::fixed(local_time)?,
        )
    }

    fn compile(
        place: &str,
        source: Source,
        special_tokens: BTreeMap<String, String>,
        clock: Clock,
    ) -> Result<Self, ChatError> {
        let refuse = |error: minijinja::Error| failure(place, "is not valid Jinja", &error);
        let mut environment = environment::new(clock).map_err(refuse)?;
        environment.add_filter(source.iterable.clone(), filter::iterable);
        environment.add_filter(source.kept.clone(), depth::kept);
        if let Some(name) = &source.plus {
            environment.add_filter(name.clone(), plus::add);
        }
        environment.set_recursion_limit(DEEPEST);
        environment
            .add_template_owned(NAME, source.text.clone())
            .map_err(refuse)?;
        Ok(Self {
            place: place.to_owned(),
            environment,
            source,
            special_tokens,
            clock,
        })
    }

    /// Everything that determines what the template writes: its text, the special tokens, and the date if it asks for
    /// the time. `None` if it may ask for the time of day.
    pub(super) fn identity(&self) -> Option<String> {
        let Source { text, .. } = &self.source;
        let date = match text.contains(CLOCK) {
            true if TIME_OF_DAY.iter().any(|part| text.contains(part)) => return None,
            true => self.clock.format("%Y-%m-%d").ok()?,
            false => String::new(),
        };
        Some(format!("{date} {:?} {text}", self.special_tokens))
    }

    /// The text of the conversation, followed by the start of the next answer if `is_prompt`. `args` are variables that
    /// the conversation does not set.
    pub(super) fn render(
        &self,
        conversation: &Conversation,
        args: &[(String, Json)],
        is_prompt: bool,
    ) -> Result<Rendered, ChatError> {
        let mut variables =
            context::variables(conversation, &self.special_tokens, args, is_prompt)?;
        let track = Arc::new(Track::default());
        let function = Value::from_dyn_object(track.clone());
        variables.insert(self.source.generation.clone(), function);
        let size = context::size(conversation);
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(context::steps(conversation).saturating_add(STEPS)));
        let mut writer = track.writer(LONGEST.saturating_add(size.saturating_mul(8)));
        environment
            .get_template(NAME)
            .and_then(|template| {
                template.render_captured_to(Value::from(variables), &mut writer)?;
                Ok(())
            })
            .map_err(|error| failure(&self.place, "does not accept these messages", &error))?;
        let text = String::from_utf8(writer.into_text())
            .map_err(|error| ChatError::new("the text is not UTF-8").with_source(error))?;
        Ok(Rendered {
            text,
            generated: track.ranges().unwrap_or_default(),
            ..Rendered::default()
        })
    }
}

/// An error of the engine with the line and the expression of the template.
fn failure(place: &str, what: &str, error: &minijinja::Error) -> ChatError {
    use std::fmt::Write as _;
    let mut message = place.to_owned();
    if let Some(line) = error.line() {
        let _infallible = write!(message, ", line {line}");
    }
    let _infallible = write!(message, ": {what}: ");
    match error.kind() {
        ErrorKind::OutOfFuel => {
            message.push_str("it takes more steps or memory than a template may");
        }
        ErrorKind::WriteFailure => {
            let cause = error
                .source()
                .map_or_else(|| error.to_string(), ToString::to_string);
            message.push_str(&cause);
        }
        ErrorKind::InvalidOperation if error.detail().is_some() => {
            message.push_str(error.detail().unwrap_or_default());
        }
        kind => {
            let _infallible = write!(message, "{kind}");
            if let Some(detail) = error.detail() {
                let _infallible = write!(message, ": {detail}");
            }
        }
    }
    let source = error.template_source().zip(error.range());
    if let Some(part) = source.and_then(|(source, range)| source.get(range)) {
        let part: String = part.split_whitespace().collect::<Vec<_>>().join(" ");
        if !part.is_empty() && part.chars().count() <= 120 {
            let _infallible = write!(message, " (in `{part}`)");
        }
    }
    ChatError::new(message)
}

#[cfg(test)]
mod tests;
