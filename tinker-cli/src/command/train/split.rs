//! Split of the data into training examples and held-out questions.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use tinker_data::{DatasetError, Index, Question};

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
    /// Trains on all of `data`, and evaluates on the questions of the file `origin`, whose prompts have these fingerprints.
    pub(crate) fn with_file(
        data: Index,
        questions: Vec<(u128, Question)>,
        origin: Origin,
    ) -> Result<Self, DatasetError> {
        let asked: HashSet<u128> = questions.iter().map(|(prompt, _)| *prompt).collect();
        let mut trained = HashSet::new();
        for prompt in data.prompts() {
            let prompt = prompt?;
            if asked.contains(&prompt) {
                trained.insert(prompt);
            }
        }
        let is_trained = |(prompt, _): &&(u128, Question)| trained.contains(prompt);
        Ok(Self {
            train: data,
            leaked: questions.iter().filter(is_trained).count(),
            held_out: questions
                .into_iter()
                .map(|(_, question)| question)
                .collect(),
            origin,
        })
    }

    /// Holds out a share of the prompts, see [`held_out_count`]. The choice depends on the prompts only, so
    /// that a longer file or another order keeps it. Examples with the same prompt stay together.
    pub(crate) fn by_share(mut data: Index) -> Result<Self, DatasetError> {
        let mut different = 0;
        let rows = data.hold_out_questions(0, |prompts| {
            different = prompts;
            held_out_count(prompts)
        })?;
        let (mut seen, mut held_out) = (HashSet::new(), Vec::new());
        for (at, prompt) in rows.prompts().enumerate() {
            if seen.insert(prompt?) {
                held_out.extend(rows.row(at)?.question());
            }
        }
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

    fn file(lines: &[(String, &str)]) -> Index {
        let line = |(prompt, completion): &(String, &str)| {
            format!("{{\"prompt\":\"{prompt}\",\"completion\":\"{completion}\"}}\n")
        };
        let text: String = lines.iter().map(line).collect();
        let mut index = Index::new(ReadOptions::new());
        let source = std::io::Cursor::new(text);
        index.add_source("x.jsonl", source).unwrap();
        index
    }

    fn by_share(lines: &[(String, &str)]) -> Split {
        Split::by_share(file(lines)).unwrap()
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
        // As in earlier versions of the same order, so that their runs can be continued.
        assert_eq!(prompts(&first)[..2], ["prompt 110", "prompt 12"]);
        let trained: HashSet<u128> = first.train.prompts().map(Result::unwrap).collect();
        let longer = by_share(&numbered(0..401));
        let kept = prompts(&longer);
        let kept = kept
            .iter()
            .filter(|prompt| prompts(&first).contains(prompt));
        assert!(kept.count() >= 19);
        assert_eq!(trained.len(), 380);
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
        let (data, eval) = (file(&numbered(0..50)), file(&numbered(47..60)));
        let questions = eval.rows().map(|row| {
            let row = row.unwrap();
            (row.example.prompt_fingerprint(), row.question().unwrap())
        });
        let origin = Origin::File {
            path: "eval.jsonl".into(),
            sha256: String::new(),
        };
        let split = Split::with_file(data, questions.collect(), origin).unwrap();
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
