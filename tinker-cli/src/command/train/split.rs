//! Held-out prompts: what the model is asked before and after training.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tinker_client::chat::{Message, Role};

use super::data::{DataFile, Example, Placed};
use crate::words;

/// Training examples and held-out questions.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) train: Vec<Placed>,
    pub(crate) held_out: Vec<Question>,
    pub(crate) origin: Origin,
}

/// Where the held-out questions come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A file, named by the user or found beside the data.
    File { path: PathBuf, sha256: String },
    /// A share of the data.
    Share,
}

/// A held-out prompt and the answer the data gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// The line of its file, from 1.
    pub(crate) line: usize,
    pub(crate) prompt: Prompt,
    pub(crate) expected: String,
}

/// What the model is asked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// Text to continue.
    Text(String),
    /// A conversation that waits for the assistant.
    Chat(Vec<Message>),
}

impl Prompt {
    /// The text, or the last turn.
    pub(crate) fn shown(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Chat(messages) => messages.last().map_or("", |message| &message.content),
        }
    }

    /// A fingerprint: equal prompts have equal ones.
    fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        match self {
            Self::Text(text) => hash.update(text),
            Self::Chat(messages) => {
                for message in messages {
                    for part in [message.role.as_str(), "\0", &message.content, "\0"] {
                        hash.update(part);
                    }
                }
            }
        }
        hash.finalize().into()
    }
}

type Digest = [u8; 32];

/// The evaluation file beside a data file: `x-eval.jsonl` for `x.jsonl`.
pub(crate) fn beside(data: &Path) -> PathBuf {
    let mut name = data.file_stem().unwrap_or_default().to_owned();
    name.push("-eval");
    if let Some(extension) = data.extension() {
        name.push(".");
        name.push(extension);
    }
    data.with_file_name(name)
}

impl Split {
    /// Trains on all of `data` and asks what `eval` holds.
    pub(crate) fn with_file(data: DataFile, eval: DataFile) -> Self {
        Self {
            train: data.examples,
            held_out: eval.examples.iter().map(question).collect(),
            origin: Origin::File {
                path: eval.path,
                sha256: eval.sha256,
            },
        }
    }

    /// Holds out 5 % of the prompts, 8 to 64 of them but never more than a quarter. Which ones depends on the
    /// prompts and nothing else, so a longer file or another order keeps them; repeats of a prompt stay together.
    pub(crate) fn by_share(data: DataFile) -> Self {
        let mut order: Vec<Digest> = data
            .examples
            .iter()
            .map(|placed| question(placed).prompt.digest())
            .collect();
        order.sort_unstable();
        order.dedup();
        order.truncate((order.len() / 20).clamp(8, 64).min(order.len() / 4));
        let chosen: HashSet<Digest> = order.into_iter().collect();

        let mut seen = HashSet::new();
        let mut held_out = Vec::new();
        let mut train = Vec::new();
        for placed in data.examples {
            let question = question(&placed);
            let digest = question.prompt.digest();
            if !chosen.contains(&digest) {
                train.push(placed);
            } else if seen.insert(digest) {
                held_out.push(question);
            }
        }
        Self {
            train,
            held_out,
            origin: Origin::Share,
        }
    }

    /// Held-out prompts that are trained on too, so that their answers prove little.
    pub(crate) fn leaked(&self) -> usize {
        let trained: HashSet<Digest> = self
            .train
            .iter()
            .map(|placed| question(placed).prompt.digest())
            .collect();
        self.held_out
            .iter()
            .filter(|question| trained.contains(&question.prompt.digest()))
            .count()
    }

    /// One line for people.
    pub(crate) fn describe(&self) -> String {
        let prompts = words::count(self.held_out.len(), "prompt");
        match &self.origin {
            Origin::File { path, .. } => format!("{prompts} from {}", path.display()),
            Origin::Share if self.held_out.is_empty() => {
                "nothing: too few lines to spare any; give some with --eval FILE".to_owned()
            }
            Origin::Share => format!("{prompts} of the data, not trained on"),
        }
    }
}

/// Asks for what an example teaches last.
fn question(placed: &Placed) -> Question {
    let line = placed.line;
    match &placed.example {
        Example::Completion { prompt, completion } => Question {
            line,
            prompt: Prompt::Text(prompt.clone()),
            expected: completion.clone(),
        },
        Example::Chat(messages) => {
            let last = messages
                .iter()
                .rposition(|message| message.role == Role::Assistant);
            let at = last.unwrap_or_default();
            let prompt = Prompt::Chat(messages[..at].to_vec());
            Question {
                line,
                prompt,
                expected: messages[at].content.clone(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(lines: &[(String, &str)]) -> DataFile {
        let example = |(prompt, completion): &(String, &str)| Example::Completion {
            prompt: prompt.clone(),
            completion: (*completion).to_owned(),
        };
        let examples = lines.iter().enumerate().map(|(at, line)| Placed {
            line: at + 1,
            example: example(line),
        });
        DataFile {
            path: "x.jsonl".into(),
            sha256: String::new(),
            examples: examples.collect(),
        }
    }

    fn numbered(range: std::ops::Range<usize>) -> Vec<(String, &'static str)> {
        range.map(|n| (format!("prompt {n}"), "answer")).collect()
    }

    fn prompts(split: &Split) -> Vec<&str> {
        let mut prompts: Vec<&str> = split.held_out.iter().map(|q| q.prompt.shown()).collect();
        prompts.sort_unstable();
        prompts
    }

    #[test]
    fn the_share_is_bounded() {
        for (lines, held_out) in [
            (1, 0),
            (3, 0),
            (4, 1),
            (20, 5),
            (100, 8),
            (400, 20),
            (4000, 64),
        ] {
            let split = Split::by_share(file(&numbered(0..lines)));
            assert_eq!(split.held_out.len(), held_out, "{lines} lines");
            assert_eq!(split.train.len() + held_out, lines);
        }
    }

    #[test]
    fn the_choice_does_not_depend_on_order() {
        let lines = numbered(0..400);
        let mut turned = lines.clone();
        turned.reverse();
        let (first, second) = (
            Split::by_share(file(&lines)),
            Split::by_share(file(&turned)),
        );
        assert_eq!(prompts(&first), prompts(&second));
        assert_eq!(first.leaked(), 0);
    }

    #[test]
    fn repeats_of_a_prompt_are_held_out_together() {
        let mut lines = numbered(0..100);
        lines.extend(
            numbered(0..100)
                .into_iter()
                .map(|(prompt, _)| (prompt, "another answer")),
        );
        let split = Split::by_share(file(&lines));
        assert_eq!((split.held_out.len(), split.train.len()), (8, 200 - 16));
        assert_eq!(split.leaked(), 0);
    }

    #[test]
    fn prompts_in_both_files_are_noticed() {
        let split = Split::with_file(file(&numbered(0..50)), file(&numbered(47..60)));
        assert_eq!((split.held_out.len(), split.leaked()), (13, 3));
    }

    #[test]
    fn a_conversation_is_asked_for_its_last_answer() {
        let messages = [("a", "b"), ("c", "d")]
            .map(|(user, assistant)| [Message::user(user), Message::assistant(assistant)]);
        let example = Example::Chat(messages.concat());
        let question = question(&Placed { line: 9, example });
        assert_eq!(
            (question.prompt.shown(), question.expected.as_str()),
            ("c", "d")
        );
    }

    #[test]
    fn the_evaluation_file_has_the_name_of_the_data() {
        assert_eq!(
            beside(Path::new("a/pig.jsonl")),
            Path::new("a/pig-eval.jsonl")
        );
        assert_eq!(beside(Path::new("a/pig")), Path::new("a/pig-eval"));
    }
}
