//! Split of the data into training examples and held-out questions.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tinker_data::{DatasetError, Index, Prompt, Question, Row};

use crate::format;

/// Training examples and held-out questions.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) train: Index,
    pub(crate) held_out: Vec<Question>,
    /// Number of held-out prompts that are also trained on, so that their answers prove little.
    pub(crate) leaked: usize,
    pub(crate) origin: Origin,
}

/// Origin of the held-out questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A file that the user named or that is beside the data.
    File { path: PathBuf, sha256: String },
    /// A share of the data, which has this number of different prompts.
    Share { prompts: usize },
}

/// Fingerprint of a prompt: equal prompts have equal ones. A row without a prompt has none.
type Fingerprint = Option<std::num::NonZeroU128>;

/// Fingerprint of the prompt of a row.
pub(crate) fn fingerprint(row: &Row) -> Fingerprint {
    row.question()
        .and_then(|question| of_prompt(&question.prompt))
}

fn of_prompt(prompt: &Prompt) -> Fingerprint {
    let mut hash = Sha256::new();
    match prompt {
        Prompt::Text(text) => hash.update(text),
        Prompt::Chat(conversation) => {
            for message in &conversation.messages {
                for part in [message.role.as_str(), "\0", message.text(), "\0"] {
                    hash.update(part);
                }
            }
        }
    }
    let start = hash.finalize().first_chunk().copied().unwrap_or_default();
    std::num::NonZeroU128::new(u128::from_be_bytes(start))
}

/// Number of different prompts to hold out without a file of them: 5 %, which costs little of the data, but 8 to 64, so that
/// a change of one answer is not a change of the result and an evaluation stays short; at most a quarter.
pub(crate) fn held_out_count(prompts: usize) -> usize {
    (prompts / 20).clamp(8, 64).min(prompts / 4)
}

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
    /// Trains on all of `data`, whose rows have these prompts, and evaluates on the questions of the file `origin`.
    pub(crate) fn with_file(
        data: Index,
        prompts: &[Fingerprint],
        questions: Vec<Question>,
        origin: Origin,
    ) -> Self {
        let asked = |question: &Question| of_prompt(&question.prompt);
        let different: HashSet<Fingerprint> = questions.iter().map(asked).collect();
        let trained = prompts.iter().filter(|prompt| different.contains(prompt));
        let trained: HashSet<Fingerprint> = trained.copied().collect();
        let is_trained = |question: &&Question| trained.contains(&asked(question));
        Self {
            train: data,
            leaked: questions.iter().filter(is_trained).count(),
            held_out: questions,
            origin,
        }
    }

    /// Holds out a share of the prompts, see [`held_out_count`]. The choice depends on the prompts only, so
    /// that a longer file or another order keeps it. Examples with the same prompt stay together.
    pub(crate) fn by_share(mut data: Index, prompts: &[Fingerprint]) -> Result<Self, DatasetError> {
        let mut order: Vec<_> = prompts.iter().flatten().copied().collect();
        order.sort_unstable();
        order.dedup();
        let different = order.len();
        order.truncate(held_out_count(order.len()));
        let chosen: HashSet<Fingerprint> = order.into_iter().map(Some).collect();

        let mut seen = HashSet::new();
        let mut held_out = Vec::new();
        let mut train = Vec::with_capacity(prompts.len());
        for (at, prompt) in prompts.iter().enumerate() {
            if !chosen.contains(prompt) {
                train.push(at);
            } else if seen.insert(*prompt) {
                held_out.extend(data.row(at)?.question());
            }
        }
        data.select(&train);
        Ok(Self {
            train: data,
            held_out,
            leaked: 0,
            origin: Origin::Share { prompts: different },
        })
    }

    /// One line for people.
    pub(crate) fn describe(&self) -> String {
        let prompts = format::count(self.held_out.len(), "prompt");
        match &self.origin {
            Origin::File { path, .. } => format!("{prompts} from {}", path.display()),
            Origin::Share { prompts: 0 } => {
                "nothing, because the data has no prompts to ask".to_owned()
            }
            Origin::Share { prompts } if self.held_out.is_empty() => format!(
                "nothing, because the data has only {}; add some with --eval FILE",
                format::count(*prompts, "different prompt")
            ),
            Origin::Share { .. } => format!("{prompts} of the data, not trained on"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tinker_data::ReadOptions;

    use super::*;

    /// Data and the prompts of its rows.
    fn file(lines: &[(String, &str)]) -> (Index, Vec<Fingerprint>) {
        let line = |(prompt, completion): &(String, &str)| {
            format!("{{\"prompt\":\"{prompt}\",\"completion\":\"{completion}\"}}\n")
        };
        let text: String = lines.iter().map(line).collect();
        let (mut index, mut prompts) = (Index::new(ReadOptions::new()), Vec::new());
        let mut each = |row: &Row| prompts.push(fingerprint(row));
        let source = std::io::Cursor::new(text);
        index.add_source_with("x.jsonl", source, &mut each).unwrap();
        (index, prompts)
    }

    fn by_share(lines: &[(String, &str)]) -> Split {
        let (index, prompts) = file(lines);
        Split::by_share(index, &prompts).unwrap()
    }

    fn numbered(range: std::ops::Range<usize>) -> Vec<(String, &'static str)> {
        range.map(|n| (format!("prompt {n}"), "answer")).collect()
    }

    fn prompts(split: &Split) -> Vec<&str> {
        let mut prompts: Vec<&str> = split.held_out.iter().map(|q| q.prompt.text()).collect();
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
            let split = by_share(&numbered(0..lines));
            assert_eq!(split.held_out.len(), held_out, "{lines} lines");
            assert_eq!(split.train.len() + held_out, lines);
        }
    }

    #[test]
    fn the_choice_does_not_depend_on_order() {
        let lines = numbered(0..400);
        let mut turned = lines.clone();
        turned.reverse();
        let (first, second) = (by_share(&lines), by_share(&turned));
        assert_eq!(prompts(&first), prompts(&second));
        // As in earlier versions, so that their runs can be continued.
        assert_eq!(prompts(&first)[..2], ["prompt 19", "prompt 207"]);
        let trained = first.train.rows().map(|row| fingerprint(&row.unwrap()));
        let trained: HashSet<Fingerprint> = trained.collect();
        let asked = first
            .held_out
            .iter()
            .map(|question| of_prompt(&question.prompt));
        assert!(asked.into_iter().all(|prompt| !trained.contains(&prompt)));
    }

    #[test]
    fn repeats_of_a_prompt_are_held_out_together() {
        let mut lines = numbered(0..100);
        lines.extend(
            numbered(0..100)
                .into_iter()
                .map(|(prompt, _)| (prompt, "another answer")),
        );
        let split = by_share(&lines);
        assert_eq!((split.held_out.len(), split.train.len()), (8, 200 - 16));
    }

    #[test]
    fn prompts_in_both_files_are_noticed() {
        let (data, prompts) = file(&numbered(0..50));
        let (eval, _) = file(&numbered(47..60));
        let questions = eval.rows().filter_map(|row| row.unwrap().question());
        let origin = Origin::File {
            path: "eval.jsonl".into(),
            sha256: String::new(),
        };
        let split = Split::with_file(data, &prompts, questions.collect(), origin);
        assert_eq!((split.held_out.len(), split.leaked), (13, 3));
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
