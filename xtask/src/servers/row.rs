//! Rows of the table: trials and their results.

use std::time::Instant;

use serde::{Deserialize, Serialize};

/// One line of the table.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) what: String,
    /// A note, or the error.
    pub(super) result: Result<String, String>,
    pub(super) seconds: f64,
}

/// The rows of one server.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Rows {
    pub(super) title: String,
    pub(super) trials: Vec<Row>,
    /// Section of the page that the examination wrote.
    #[serde(default)]
    pub(super) doctor: String,
}

impl Rows {
    pub(super) fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            trials: Vec::new(),
            doctor: String::new(),
        }
    }

    /// Tries something, prints its row and returns its value if it succeeded.
    pub(super) fn attempt<T>(
        &mut self,
        what: &str,
        attempt: impl FnOnce() -> anyhow::Result<(T, String)>,
    ) -> Option<T> {
        let started = Instant::now();
        let (value, result) = match attempt() {
            Ok((value, note)) => (Some(value), Ok(note)),
            Err(error) => (None, Err(format!("{error:#}"))),
        };
        let seconds = started.elapsed().as_secs_f64();
        let row = Row {
            what: what.to_owned(),
            result,
            seconds,
        };
        eprintln!("{:<11}  {}", self.title, row.to_line());
        self.trials.push(row);
        value
    }

    pub(super) fn failed(&self) -> usize {
        self.trials.iter().filter(|row| row.result.is_err()).count()
    }
}

impl Row {
    fn to_line(&self) -> String {
        let (word, note) = match &self.result {
            Ok(note) => ("passed", note),
            Err(error) => ("FAILED", error),
        };
        format!("{word}  {:<34} {:>6.1} s  {note}", self.what, self.seconds)
    }
}
