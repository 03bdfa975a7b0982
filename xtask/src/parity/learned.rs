//! The learned tokens of conversations.

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tinker_data::{Conversation, EncodedExample, Learn, Message, Renderer, Role, Template};

use super::{control, digest};

/// Tokens, and 1 for those that are learned.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Masked {
    ids: Vec<u32>,
    mask: Vec<u8>,
}

impl Masked {
    /// Digest of the tokens up to the last learned one; none if no token is learned.
    pub(super) fn digest(&self) -> Option<String> {
        let end = self.mask.iter().rposition(|mask| *mask == 1)? + 1;
        let (ids, mask) = (&self.ids[..end], &self.mask[..end]);
        Some(digest::of(&format!("{ids:?}{mask:?}")))
    }

    fn of(example: &EncodedExample) -> anyhow::Result<Self> {
        let inputs = &example.datum.loss_fn_inputs;
        let targets = inputs.get("target_tokens").and_then(|it| it.as_i64());
        let weights = inputs.get("weights").and_then(|it| it.as_f32());
        let mut ids = example.datum.model_input.to_tokens()?;
        let last = targets.and_then(<[i64]>::last).context("no targets")?;
        ids.push(u32::try_from(*last)?);
        let weights = weights.context("no weights")?.iter();
        let learned = weights.map(|weight| u8::from(*weight > 0.0));
        let mask = std::iter::once(0).chain(learned).collect();
        Ok(Self { ids, mask })
    }
}

/// Reasons to refuse a conversation that transformers masks.
const NOTHING_TO_LEARN: [&str; 4] = [
    "is an empty answer",
    "only an end token would be learned",
    "does not write the tool",
    "has no answer",
];

/// The tokens of the `generation` blocks of a template for a conversation; none if the template refuses it. The inner
/// error is the reason why the conversation has no learned tokens.
pub(super) fn blocks(
    renderer: &Renderer,
    conversation: &Conversation,
) -> anyhow::Result<Result<Option<String>, String>> {
    let renderer = renderer.clone().with_learn(Learn::Template);
    let examples = match renderer.supervised(conversation) {
        Ok(examples) => examples,
        Err(error) => {
            let reason = error.to_string();
            let is_ours = NOTHING_TO_LEARN.iter().any(|it| reason.contains(it));
            return Ok(if is_ours { Err(reason) } else { Ok(None) });
        }
    };
    let [example] = &examples[..] else {
        anyhow::bail!("one rendering gives one example");
    };
    Ok(Ok(Masked::of(example)?.digest()))
}

/// Compares what is learned of each answer with the tokens after its prompt, and returns the number of answers. The
/// inner error is the reason of a refusal.
pub(super) fn turns(
    renderer: &Renderer,
    template: &Template,
    source: &str,
    special: &[(&str, &str)],
    conversation: &Conversation,
) -> anyhow::Result<Result<usize, String>> {
    let examples = match renderer.supervised(conversation) {
        Ok(examples) => examples,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let examples: Vec<Masked> = examples.iter().map(Masked::of).collect::<Result<_, _>>()?;
    let writes_end = !renderer
        .notes()
        .iter()
        .any(|note| note.contains("writes no end token"));
    let (mut count, mut learned) = (0, 0);
    for (index, message) in answers(conversation) {
        let place = format!("messages[{index}]");
        let before = conversation.first(index);
        let through = conversation.first(index + 1);
        let prompt = renderer.prompt(&before)?.to_tokens()?;
        let encoded = renderer.question(&through)?;
        let answer = encoded.answer;
        ensure!(
            encoded.prompt == prompt,
            "{place}: the prompt is not the one that is sampled"
        );
        let whole = [&prompt[..], &answer].concat();
        let is_there = examples.iter().any(|example| {
            let mask = example.mask.get(prompt.len()..whole.len());
            example.ids.starts_with(&whole) && mask.is_some_and(|it| it.iter().all(|it| *it == 1))
        });
        ensure!(
            is_there,
            "{place}: the answer is not learned after its prompt"
        );
        let end = answer.last().context("an answer has tokens")?;
        ensure!(
            !writes_end || renderer.end_tokens().contains(end),
            "{place}: {answer:?} has no end token"
        );
        let text = renderer.tokenizer().decode(&answer)?;
        let prompt = template.render(&before, true)?.text;
        let whole = template.render(&through, false)?.text;
        match whole.strip_prefix(&prompt) {
            Some(rest) => ensure!(
                control::without_marks(source, rest, special) == text.trim_end(),
                "{place}: {text:?} is learned of {rest:?}"
            ),
            // A thought at the start of the content may continue one that the prompt opens.
            None => ensure!(
                text.contains(
                    message
                        .text()
                        .rsplit("</think>")
                        .next()
                        .unwrap_or_default()
                        .trim()
                ),
                "{place}: {text:?} lacks the answer"
            ),
        }
        count += 1;
        learned += answer.len();
    }
    let all = examples.iter().flat_map(|example| &example.mask);
    let all: usize = all.map(|mask| usize::from(*mask)).sum();
    ensure!(
        all == learned,
        "{all} tokens are learned, and the answers have {learned}"
    );
    Ok(Ok(count))
}

/// Whether the conversation has an answer.
pub(super) fn has_answers(conversation: &Conversation) -> bool {
    answers(conversation).next().is_some()
}

fn answers(conversation: &Conversation) -> impl Iterator<Item = (usize, &Message)> {
    let messages = conversation.messages.iter().enumerate();
    messages.filter(|(_, message)| message.role == Role::Assistant)
}
