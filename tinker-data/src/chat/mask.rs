//! The learned tokens of a conversation.

use super::answer;
use super::conversation::Conversation;
use super::ends::Ends;
use super::learn::Learn;
use super::message::{Message, Role};
use super::rendered::Rendered;
use super::rule::Rule;
use super::seam;
use super::sequence::Sequence;
use super::template::Template;
use super::tools;
use crate::error::ChatError;
use crate::tokenizer::Tokenizer;

/// The means to render and encode a conversation.
pub(super) struct Mask<'a> {
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) template: &'a Template,
    pub(super) ends: &'a Ends,
}

/// How an answer was found.
#[derive(Debug)]
pub(super) struct Found {
    rule: Rule,
    /// A token would have crossed the end of the prompt.
    is_merged: bool,
}

impl Mask<'_> {
    /// The sequences to learn from, each up to its last learned token.
    pub(super) fn sequences(
        &self,
        conversation: &Conversation,
        learn: Learn,
    ) -> Result<Vec<Sequence>, ChatError> {
        match learn {
            Learn::Last => {
                let last = answers(conversation).next_back();
                self.turns(conversation, last.into_iter())
            }
            Learn::Turns => self.turns(conversation, answers(conversation)),
            Learn::All => self.one_rendering(conversation),
            Learn::Template => Ok(vec![self.blocks(conversation)?]),
        }
    }

    /// Each answer after its own prompt; those that continue one another in one sequence.
    fn turns<'m>(
        &self,
        conversation: &Conversation,
        answers: impl Iterator<Item = (usize, &'m Message)>,
    ) -> Result<Vec<Sequence>, ChatError> {
        let mut sequences: Vec<Sequence> = Vec::new();
        for (index, message) in answers {
            if message.weight == 0.0 || self.opens_without_prompt(conversation, index) {
                continue;
            }
            let (prompt, answer, found) = self.answer(conversation, index)?;
            let mut sequence = sequences
                .pop_if(|before| prompt.starts_with(&before.tokens))
                .unwrap_or_else(|| Sequence::new(found.rule));
            sequence.extend(&prompt[sequence.tokens.len()..], 0.0);
            sequence.extend(&answer, message.weight);
            sequence.rule = sequence.rule.max(found.rule);
            sequence.merged += usize::from(found.is_merged);
            sequences.push(sequence);
        }
        Ok(sequences)
    }

    /// Tokens of the prompt of an answer, and of the answer with its end token.
    pub(super) fn answer(
        &self,
        conversation: &Conversation,
        index: usize,
    ) -> Result<(Vec<u32>, Vec<u32>, Found), ChatError> {
        let answer = answer::find(self.template, conversation, index)?;
        tools::refuse_unwritten(conversation, &answer.prompt.text)?;
        let rest = self.ends.cut(self.tokenizer, &answer.rest);
        let parts = seam::join(self.tokenizer, &answer.prompt, &rest)?;
        let mut prompt = parts.tokens;
        let rest = prompt.split_off(parts.cuts[0]);
        let found = Found {
            rule: answer.rule,
            is_merged: parts.merged > 0,
        };
        Ok((prompt, rest, found))
    }

    /// True for an answer that opens the conversation, if the template writes no prompt for it. It is context.
    fn opens_without_prompt(&self, conversation: &Conversation, index: usize) -> bool {
        index == 0 && self.template.render(&conversation.first(0), true).is_err()
    }

    /// The conversation as one sequence. An error if an answer is not in it as it is when it comes last.
    fn one_rendering(&self, conversation: &Conversation) -> Result<Vec<Sequence>, ChatError> {
        let Some((last, _)) = answers(conversation).next_back() else {
            return Ok(Vec::new());
        };
        let whole = self.template.render(&conversation.first(last + 1), false)?;
        if !whole.ends.is_empty() {
            // The plain template, which never changes earlier turns.
            return self.turns(conversation, answers(conversation));
        }
        let mut text = whole.text;
        let mut cuts = Vec::new();
        let mut weights = Vec::new();
        for (index, message) in answers(conversation) {
            if message.weight == 0.0 || self.opens_without_prompt(conversation, index) {
                continue;
            }
            let found = answer::find(self.template, conversation, index)?;
            tools::refuse_unwritten(conversation, &found.prompt.text)?;
            let rest = &found.whole.text[found.start..];
            let rest = self.ends.cut(self.tokenizer, &Rendered::text(rest));
            let end = found.start + rest.text.len();
            let through = format!("{}{}", &found.whole.text[..found.start], rest.text);
            if index == last && through.starts_with(&text) {
                // With the end token that the template leaves out there.
                text.clone_from(&through);
            }
            let is_kept = found.rule != Rule::AfterChangedPrompt
                && cuts.last().is_none_or(|done| *done <= found.start)
                && text.starts_with(&through);
            if !is_kept {
                return Err(ChatError::new(format!(
                    "messages[{index}]: the template writes this answer otherwise when more messages follow, so the answers cannot be learned in one rendering; use --learn turns"
                )));
            }
            cuts.extend([found.start, end]);
            weights.push(message.weight);
        }
        let Some(&end) = cuts.last() else {
            return Ok(Vec::new());
        };
        let parts = seam::split(self.tokenizer, &text[..end], &cuts, |text| {
            self.tokenizer.encode(text)
        })?;
        let mut sequence = Sequence::new(Rule::OneRendering);
        sequence.merged = parts.merged;
        for (cuts, weight) in parts.cuts.chunks(2).zip(weights) {
            let done = sequence.tokens.len();
            sequence.extend(&parts.tokens[done..cuts[0]], 0.0);
            sequence.extend(&parts.tokens[cuts[0]..cuts[1]], weight);
        }
        Ok(vec![sequence])
    }

    /// The conversation as one sequence, with the `generation` blocks of the template learned.
    fn blocks(&self, conversation: &Conversation) -> Result<Sequence, ChatError> {
        let whole = self.template.render(conversation, false)?;
        tools::refuse_unwritten(conversation, &whole.text)?;
        if whole.generated.is_empty() {
            return Err(ChatError::new(
                "the chat template marks nothing with {% generation %}, so it does not tell what to learn; use --learn turns",
            ));
        }
        let weights: Vec<f32> = answers(conversation)
            .map(|(_, message)| message.weight)
            .collect();
        if weights.iter().any(|weight| (weight - 1.0).abs() > 0.0)
            && weights.len() != whole.generated.len()
        {
            return Err(ChatError::new(format!(
                "the messages have weights, but the template marks {} parts for {} answers, so a weight has no place; use --learn turns",
                whole.generated.len(),
                weights.len()
            )));
        }
        let mut sequence = Sequence::new(Rule::TemplateBlocks);
        let mut learned = 0;
        for (token, place) in self.tokenizer.encode_with_places(&whole.text)? {
            let mut ranges = whole.generated.iter();
            let range = ranges.position(|range| place.start < range.end && range.start < place.end);
            let weight = range.map_or(0.0, |at| weights.get(at).copied().unwrap_or(1.0));
            sequence.extend(&[token], weight);
            if weight > 0.0 {
                learned = sequence.tokens.len();
            }
        }
        sequence.tokens.truncate(learned);
        sequence.weights.truncate(learned);
        Ok(sequence)
    }
}

/// The answers with their index.
fn answers(
    conversation: &Conversation,
) -> impl DoubleEndedIterator<Item = (usize, &Message)> + use<'_> {
    let messages = conversation.messages.iter().enumerate();
    messages.filter(|(_, message)| message.role == Role::Assistant)
}
