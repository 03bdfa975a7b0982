//! The text of one answer, as the model has to write it after its prompt.

use std::borrow::Cow;

use super::conversation::Conversation;
use super::message::Message;
use super::rendered::Rendered;
use super::rule::Rule;
use super::template::Template;
use super::tools;
use crate::error::ChatError;

/// Marks of a thought: its start and its end.
const THOUGHTS: [(&str, &str); 8] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("\u{25c1}think\u{25b7}", "\u{25c1}/think\u{25b7}"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
];

/// Longest text before an answer, in bytes, that is compared to find its place.
const LONGEST_ANCHOR: usize = 256;
/// Shortest such text that is taken as found.
const SHORTEST_ANCHOR: usize = 4;

/// The prompt of an answer, and what the model has to write after it.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    /// The prompt, as it is sampled.
    pub(super) prompt: Rendered,
    /// The answer and all that the template writes after it.
    pub(super) rest: Rendered,
    /// The conversation up to and with the answer, in one rendering.
    pub(super) whole: Rendered,
    /// Byte offset of the answer in `whole`.
    pub(super) start: usize,
    pub(super) rule: Rule,
}

/// The answer at `index`.
pub(super) fn find(
    template: &Template,
    conversation: &Conversation,
    index: usize,
) -> Result<Answer, ChatError> {
    let through = conversation.first(index + 1);
    let prompt = template.render(&conversation.first(index), true)?;
    let whole = template.render(&through, false)?;
    if let Some(rest) = whole.after(&prompt) {
        refuse_unwritten(&through, index, &rest.text)?;
        return Ok(Answer {
            start: prompt.text.len(),
            prompt,
            rest,
            whole,
            rule: Rule::AfterPrompt,
        });
    }
    let history = template.render(&conversation.first(index), false)?;
    let opening = common(&prompt.text, &history.text);
    let content = start_of_content(template, &through, &whole.text);
    let same = common(&prompt.text, &whole.text).min(content);
    let (start, rule) = if same >= opening {
        let start = outside_of_mark(&whole.text, opening, same);
        (start, Rule::AfterOpening)
    } else {
        let found = anchor(&prompt.text, &whole.text[..content], same);
        let found = found.map(|start| (start, Rule::AfterChangedPrompt));
        // Some templates write the start of an answer whether or not one is asked for.
        let opened = || {
            let start = outside_of_mark(&whole.text, 0, same);
            has_only_marks(&prompt.text[start..]).then_some((start, Rule::AfterOpening))
        };
        found.or_else(opened).ok_or_else(|| {
            ChatError::new(format!(
                "messages[{index}]: the template writes the messages before this answer otherwise once the answer is there, so the place of the answer cannot be found; use a template that writes each message alike"
            ))
        })?
    };
    let rest = match through.messages.last() {
        Some(message) => after_opening(message, &prompt.text, &whole.text[start..]),
        None => Cow::Borrowed(&whole.text[start..]),
    };
    refuse_unwritten(&through, index, &rest)?;
    Ok(Answer {
        rest: Rendered {
            text: rest.into_owned(),
            ..Rendered::default()
        },
        prompt,
        whole,
        start,
        rule,
    })
}

/// Number of bytes at the start that two texts share, at a boundary of characters.
fn common(a: &str, b: &str) -> usize {
    let pairs = a.chars().zip(b.chars());
    pairs
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a.len_utf8())
        .sum()
}

/// The offset `at`, or the start of the mark, such as `<think>`, that it lies within. The template writes what is between
/// `from` and `at`.
fn outside_of_mark(text: &str, from: usize, at: usize) -> usize {
    let written = &text[from..at];
    let open = written.rfind(['<', '[', '\u{25c1}']);
    let open = open.filter(|open| !written[*open..].contains(['>', ']', '\u{25b7}']));
    open.map_or(at, |open| from + open)
}

/// Whether a text has nothing but marks, such as `<think>`, and white space.
fn has_only_marks(text: &str) -> bool {
    let mut left = text.trim_start();
    while let Some((_, after)) = left.strip_prefix('<').and_then(|it| it.split_once('>')) {
        left = after.trim_start();
    }
    left.is_empty()
}

/// Refuses an answer of which the template leaves out the thought or a call.
fn refuse_unwritten(through: &Conversation, index: usize, rest: &str) -> Result<(), ChatError> {
    let Some(message) = through.messages.last() else {
        return Ok(());
    };
    if let Some(name) = tools::unwritten_call(message, rest) {
        return Err(ChatError::new(format!(
            "messages[{index}]: the chat template does not write the call of {name:?}, so it would not be learned; use a template for tools, or give the message weight 0"
        )));
    }
    let text = message.text();
    let ends = THOUGHTS.into_iter();
    let ends = ends.filter_map(|(_, close)| Some(text.rfind(close)? + close.len()));
    if !rest.contains(text[ends.max().unwrap_or(0)..].trim()) {
        return Err(ChatError::new(format!(
            "messages[{index}]: the chat template does not write the text of this answer as it is, so it would not be learned; change the text, or use another template"
        )));
    }
    if !rest.contains(thought(message)) {
        return Err(ChatError::new(format!(
            "messages[{index}]: the chat template does not write the thought of this answer after its prompt, so it would not be learned; use a template, or a --template-arg, that asks for thoughts, or remove the thought"
        )));
    }
    Ok(())
}

/// The thought of an answer, from its own key or at the start of the content; empty if there is none.
fn thought(message: &Message) -> &str {
    let in_content = || {
        let thoughts = THOUGHTS.into_iter();
        let mut thoughts = thoughts.filter_map(|(open, close)| {
            let (before, _) = message.text().split_once(close)?;
            Some(before.trim().strip_prefix(open).unwrap_or(before))
        });
        thoughts.next()
    };
    let own = message.reasoning.as_deref();
    own.or_else(in_content).unwrap_or_default().trim()
}

/// Byte offset in `whole` at which the content of the last message begins, found by rendering another one in its place.
/// The end of the text if the template accepts no other.
fn start_of_content(template: &Template, through: &Conversation, whole: &str) -> usize {
    let other_than = |text: &str| {
        let first = text.trim_start().chars().next();
        if first == Some('x') { "y" } else { "x" }.to_owned()
    };
    let mut other = through.clone();
    if let Some(message) = other.messages.last_mut() {
        message.reasoning = message.reasoning.as_deref().map(other_than);
        message.content = Some(other_than(message.text()));
    }
    let rendered = template.render(&other, false);
    rendered.map_or(whole.len(), |other| common(whole, &other.text))
}

/// Where the text that the prompt ends with ends in `head`: the start of the answer there. It is at or behind `from`, up
/// to which the texts are the same.
fn anchor(prompt: &str, head: &str, from: usize) -> Option<usize> {
    let prompt = open_thought(prompt).map_or(prompt, |(open, _)| {
        prompt.trim_end().strip_suffix(open).unwrap_or(prompt)
    });
    let suffixes = prompt.char_indices().rev().map(|(at, _)| &prompt[at..]);
    let suffixes = suffixes.take_while(|suffix| suffix.len() <= LONGEST_ANCHOR);
    let found = suffixes.map_while(|suffix| Some((head.rfind(suffix)? + suffix.len(), suffix)));
    let (end, suffix) = found.filter(|(end, _)| *end >= from).last()?;
    (suffix.len() >= SHORTEST_ANCHOR || suffix == prompt).then_some(end)
}

/// The marks of the thought that a prompt ends with the start of.
fn open_thought(prompt: &str) -> Option<(&'static str, &'static str)> {
    let ends_with = |(open, _): &(&str, &str)| prompt.trim_end().ends_with(open);
    THOUGHTS.into_iter().find(ends_with)
}

/// The text to write after a prompt that may have opened a thought: the thought, its end, and the answer.
fn after_opening<'t>(message: &Message, prompt: &str, answer: &'t str) -> Cow<'t, str> {
    let on_new_line = prompt.ends_with('\n');
    let Some((open, close)) = open_thought(prompt) else {
        // A thought that the prompt has ended is not written again.
        let is_ended = |(_, close): &(&str, &str)| prompt.trim_end().ends_with(close);
        let ended = THOUGHTS.into_iter().find(is_ended);
        let thought = thought(message);
        let after = ended.and_then(|(open, close)| {
            let (before, after) = answer.split_once(close)?;
            let inside = before.trim();
            let inside = inside.strip_prefix(open).unwrap_or(inside).trim();
            let is_thought = !thought.is_empty() && inside.contains(thought);
            (inside.is_empty() || is_thought).then_some(after)
        });
        return match after {
            Some(after) if on_new_line => after.trim_start_matches('\n').into(),
            after => after.unwrap_or(answer).into(),
        };
    };
    if let Some(inside) = answer.trim_start().strip_prefix(open) {
        // The template writes the whole thought, of which the prompt has the start.
        let inside = if on_new_line {
            inside.strip_prefix('\n').unwrap_or(inside)
        } else {
            inside
        };
        return inside.into();
    }
    if answer.contains(close) {
        return answer.into();
    }
    let thought = thought(message);
    if on_new_line {
        format!("{thought}\n{close}\n\n{}", answer.trim_start_matches('\n')).into()
    } else {
        format!("{thought}{close}{answer}").into()
    }
}

/// An answer without the thought that it begins with, if that thought is empty. The prompt may have opened it.
///
/// ```
/// use tinker_data::without_empty_thought;
///
/// assert_eq!(without_empty_thought("<think>\n\n</think>\n\ndry"), "dry");
/// assert_eq!(without_empty_thought("<think>\nwet?\n</think>\n\ndry"), "<think>\nwet?\n</think>\n\ndry");
/// ```
pub fn without_empty_thought(answer: &str) -> &str {
    let text = answer.trim_start();
    for (open, close) in THOUGHTS {
        let inside = text.strip_prefix(open).unwrap_or(text).trim_start();
        if let Some(rest) = inside.strip_prefix(close) {
            return rest.trim_start();
        }
    }
    answer
}
