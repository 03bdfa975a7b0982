//! Split of the data into training examples and held-out questions.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tinker_data::{Dataset, Prompt, Question, Row};

use crate::format;

/// Training examples and held-out questions.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) train: Dataset,
    pub(crate) held_out: Vec<Question>,
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

type Digest = [u8; 32];

/// Fingerprint of a prompt: equal prompts have equal ones.
fn digest(prompt: &Prompt) -> Digest {
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
    hash.finalize().into()
}

/// Fingerprints of the prompts, in the order of the rows. Rows without a prompt have none.
fn digests(rows: &[Row]) -> Vec<Digest> {
    let questions = rows.iter().filter_map(Row::question);
    questions.map(|question| digest(&question.prompt)).collect()
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
    /// Trains on all of `data`, and evaluates on `eval`, a file with this hash.
    pub(crate) fn with_file(data: Dataset, eval: Dataset, sha256: String) -> Self {
        Self {
            train: data,
            held_out: eval.rows.iter().filter_map(Row::question).collect(),
            origin: Origin::File {
                path: eval.path,
                sha256,
            },
        }
    }

    /// Holds out 5 % of the prompts, 8 to 64 of them but at most a quarter. The choice depends on the prompts only, so
    /// that a longer file or another order keeps it. Examples with the same prompt stay together.
    pub(crate) fn by_share(data: Dataset) -> Self {
        let mut order = digests(&data.rows);
        order.sort_unstable();
        order.dedup();
        let prompts = order.len();
        order.truncate((order.len() / 20).clamp(8, 64).min(order.len() / 4));
        let chosen: HashSet<Digest> = order.into_iter().collect();

        let mut seen = HashSet::new();
        let mut held_out = Vec::new();
        let mut rows = Vec::new();
        for row in data.rows {
            let Some(question) = row.question() else {
                rows.push(row);
                continue;
            };
            let digest = digest(&question.prompt);
            if !chosen.contains(&digest) {
                rows.push(row);
            } else if seen.insert(digest) {
                held_out.push(question);
            }
        }
        Self {
            train: Dataset {
                path: data.path,
                rows,
                notes: data.notes,
            },
            held_out,
            origin: Origin::Share { prompts },
        }
    }

    /// Number of held-out prompts that are also trained on, so that their answers prove little.
    pub(crate) fn leaked(&self) -> usize {
        let trained: HashSet<Digest> = digests(&self.train.rows).into_iter().collect();
        self.held_out
            .iter()
            .filter(|question| trained.contains(&digest(&question.prompt)))
            .count()
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
    use tinker_data::Example;

    use super::*;

    fn file(lines: &[(String, &str)]) -> Dataset {
        let example = |(prompt, completion): &(String, &str)| Example::Completion {
            prompt: prompt.clone(),
            completion: (*completion).to_owned(),
        };
        let rows = lines.iter().enumerate().map(|(at, line)| Row {
            path: Path::new("x.jsonl").into(),
            line: at + 1,
            example: example(line),
        });
        Dataset {
            path: "x.jsonl".into(),
            rows: rows.collect(),
            ..Dataset::default()
        }
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
            let split = Split::by_share(file(&numbered(0..lines)));
            assert_eq!(split.held_out.len(), held_out, "{lines} lines");
            assert_eq!(split.train.rows.len() + held_out, lines);
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
        assert_eq!(
            (split.held_out.len(), split.train.rows.len()),
            (8, 200 - 16)
        );
        assert_eq!(split.leaked(), 0);
    }

    #[test]
    fn prompts_in_both_files_are_noticed() {
        let split = Split::with_file(
            file(&numbered(0..50)),
            file(&numbered(47..60)),
            String::new(),
        );
        assert_eq!((split.held_out.len(), split.leaked()), (13, 3));
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
