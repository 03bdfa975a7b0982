//! Rewards from a program of the user: answers as JSON lines in, rewards as lines out.

use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::problem::Answered;
use crate::error::TrainError;

/// Largest number of bytes of output that is read.
const MOST: u64 = 16 << 20;
/// Number of bytes at the end of stderr that an error shows.
const SHOWN: usize = 400;

/// A program that computes rewards. It is started for each batch, receives one JSON object a line (`prompt`, `answer`,
/// `expected`, `metadata`) on its standard input, which is then closed, and prints one line for each: a number, or an
/// object with `reward`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Program {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Time for a batch. Default one minute.
    pub time_limit: Duration,
    /// Number of further tries after a failure. Default 2.
    pub retries: usize,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Number(f64),
    Object { reward: f64 },
}

impl Program {
    /// A program with arguments.
    pub fn new(program: impl Into<String>, args: impl IntoIterator<Item = String>) -> Self {
        Self {
            program: program.into(),
            args: args.into_iter().collect(),
            time_limit: Duration::from_mins(1),
            retries: 2,
        }
    }

    /// The program of a line for the shell.
    pub fn of_line(line: &str) -> Self {
        Self::new("sh", ["-c".to_owned(), line.to_owned()])
    }

    /// Sets [`Self::time_limit`].
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// The program as it is started, for people.
    fn shown(&self) -> &str {
        self.args.last().map_or(&self.program, String::as_str)
    }

    pub(crate) async fn rewards(&self, answers: &[Answered]) -> Result<Vec<f64>, TrainError> {
        let mut input = Vec::new();
        for answer in answers {
            serde_json::to_writer(&mut input, answer).map_err(|error| {
                TrainError::file("cannot write answers".to_owned(), error.into())
            })?;
            input.push(b'\n');
        }
        let mut tries = 0;
        loop {
            let tried =
                tokio::time::timeout(self.time_limit, self.run(&input, answers.len())).await;
            let reason = match tried {
                Ok(Ok(rewards)) => return Ok(rewards),
                Ok(Err(reason)) => reason,
                Err(_) => format!("it has not ended after {:?}", self.time_limit),
            };
            tracing::info!(program = self.shown(), %reason, "a reward program failed");
            if tries == self.retries {
                let what = format!(
                    "the reward program `{}` failed {} times; the last time {reason}",
                    self.shown(),
                    tries + 1
                );
                return Err(TrainError::Refused(what));
            }
            tries += 1;
        }
    }

    /// Runs the program once. Dropping the future kills it.
    async fn run(&self, input: &[u8], count: usize) -> Result<Vec<f64>, String> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .map_err(|error| format!("it could not be started: {error}"))?;
        let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err("it has no standard streams".to_owned());
        };
        let write = async move {
            // A program that does not read all of it may still answer.
            let _ = stdin.write_all(input).await;
            drop(stdin);
        };
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        let (mut stdout, mut stderr) = (stdout.take(MOST), stderr.take(MOST));
        let ((), read, noted, status) = tokio::join!(
            write,
            stdout.read_to_end(&mut out),
            stderr.read_to_end(&mut errors),
            child.wait()
        );
        let status = status.map_err(|error| format!("it cannot be waited for: {error}"))?;
        read.and(noted)
            .map_err(|error| format!("its output cannot be read: {error}"))?;
        if !status.success() {
            let errors = String::from_utf8_lossy(&errors);
            let errors = errors.trim_end();
            let start = errors.ceil_char_boundary(errors.len().saturating_sub(SHOWN));
            return Err(format!("it ended with {status}: {}", &errors[start..]));
        }
        let lines: Vec<&[u8]> = out
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.trim_ascii().is_empty())
            .collect();
        if lines.len() != count {
            return Err(format!(
                "it printed {} lines for {count} answers",
                lines.len()
            ));
        }
        let reward = |(at, line): (usize, &&[u8])| match serde_json::from_slice(line) {
            Ok(Line::Number(reward) | Line::Object { reward }) => Ok(reward),
            Err(_) => {
                let text: String = String::from_utf8_lossy(line).chars().take(80).collect();
                Err(format!(
                    "line {} of its output is no reward: {text:?}",
                    at + 1
                ))
            }
        };
        lines.iter().enumerate().map(reward).collect()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn answers(count: usize) -> Vec<Answered> {
        let answered = |at: usize| Answered {
            prompt: "p".to_owned(),
            answer: format!("a{at}"),
            expected: String::new(),
            metadata: std::collections::BTreeMap::new(),
        };
        (0..count).map(answered).collect()
    }

    async fn run(line: &str, count: usize) -> Result<Vec<f64>, String> {
        let program = Program::of_line(line).with_time_limit(Duration::from_millis(400));
        let rewards = program.rewards(&answers(count)).await;
        rewards.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn numbers_and_objects_are_rewards() {
        let rewards = run(
            "cat > /dev/null; echo 0.5; echo '{\"reward\": 1, \"why\": 2}'",
            2,
        );
        assert_eq!(rewards.await.unwrap(), [0.5, 1.0]);
        let found = run(
            "while read -r line; do case $line in *a1*) echo 1;; *) echo 0;; esac; done",
            3,
        );
        assert_eq!(found.await.unwrap(), [0.0, 1.0, 0.0]);
    }

    #[tokio::test]
    async fn failures_are_named_and_tried_again() {
        for (line, reason) in [
            ("sleep 60", "has not ended after 400ms"),
            ("echo broken >&2; exit 3", "exit status: 3: broken"),
            ("kill -9 $$", "signal: 9"),
            ("echo what", "line 1 of its output is no reward: \"what\""),
            ("echo 1; echo 2", "printed 2 lines for 1 answers"),
            ("yes", "has not ended after 400ms"),
        ] {
            let error = run(line, 1).await.unwrap_err();
            assert!(
                error.contains(reason) && error.contains("failed 3 times"),
                "{error}"
            );
            assert!(error.contains(line), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        let line = format!(
            "test -e {0} || {{ touch {0}; exit 1; }}; echo 7",
            mark.display()
        );
        assert_eq!(run(&line, 1).await.unwrap(), [7.0], "the second try");
    }

    #[tokio::test]
    async fn more_input_than_a_pipe_holds_is_written() {
        let rewards = run("while read -r line; do echo 1; done", 4_000)
            .await
            .unwrap();
        assert_eq!(rewards.len(), 4_000);
    }
}
