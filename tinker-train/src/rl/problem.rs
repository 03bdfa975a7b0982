//! Problems, and answers to them.

use std::sync::Arc;

use serde::Serialize;
use tinker_client::ModelInput;
use tinker_data::{Example, Index, Json, Prompt, Renderer, Row};

use crate::error::{BoxError, TrainError};

/// A problem whose answers are sampled and rewarded.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Problem {
    /// The prompt as tokens.
    pub input: ModelInput,
    /// The prompt as text: of a conversation, its last message.
    pub prompt: String,
    /// The reference answer; empty if there is none.
    pub expected: String,
    /// The other columns of the row.
    pub metadata: Vec<(String, Json)>,
}

/// Problems by number: in memory, or read from their data files and encoded whenever they are needed.
///
/// Memory of the latter: 24 bytes for each problem.
#[derive(Debug)]
pub struct Problems(Source);

#[derive(Debug)]
enum Source {
    Memory(Vec<Problem>),
    Rows(Arc<Index>, Renderer),
}

/// An answer to a problem, for a reward.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Answered {
    /// The prompt.
    pub prompt: String,
    /// The answer of the model.
    pub answer: String,
    /// The reference answer; empty if there is none.
    pub expected: String,
    /// The other columns of the row.
    pub metadata: std::collections::BTreeMap<String, Json>,
}

impl Problem {
    /// Encodes a prompt.
    ///
    /// # Errors
    /// A prompt that the renderer cannot encode.
    pub fn encode(
        renderer: &Renderer,
        prompt: &Prompt,
        expected: String,
        metadata: Vec<(String, Json)>,
    ) -> Result<Self, BoxError> {
        let input = match prompt {
            Prompt::Text(text) => renderer.text(text)?,
            Prompt::Chat(conversation) => renderer.prompt(conversation)?,
        };
        Ok(Self {
            input,
            prompt: prompt.text().to_owned(),
            expected,
            metadata,
        })
    }

    /// The problem in a row: its prompt, with the answer to learn as the reference answer if the row is an example of supervised
    /// learning. `None` for rows without a prompt.
    ///
    /// # Errors
    /// A prompt that the renderer cannot encode.
    pub fn of_row(renderer: &Renderer, row: &Row) -> Option<Result<Self, BoxError>> {
        if let Example::Problem {
            prompt,
            answer,
            metadata,
        } = &row.example
        {
            let expected = answer.as_ref().map(text).unwrap_or_default();
            return Some(Self::encode(renderer, prompt, expected, metadata.clone()));
        }
        let question = row.question()?;
        let problem = Self::encode(renderer, &question.prompt, question.expected, Vec::new());
        Some(problem)
    }

    /// An answer to it.
    pub fn answered(&self, answer: String) -> Answered {
        Answered {
            prompt: self.prompt.clone(),
            answer,
            expected: self.expected.clone(),
            metadata: self.metadata.iter().cloned().collect(),
        }
    }
}

fn text(json: &Json) -> String {
    let other = || serde_json::to_string(json).unwrap_or_default();
    json.as_str().map_or_else(other, str::to_owned)
}

impl Problems {
    /// The problems in the rows of data files.
    pub fn of_rows(rows: impl Into<Arc<Index>>, renderer: Renderer) -> Self {
        Self(Source::Rows(rows.into(), renderer))
    }

    /// Number of problems.
    pub fn len(&self) -> usize {
        match &self.0 {
            Source::Memory(problems) => problems.len(),
            Source::Rows(rows, _) => rows.len(),
        }
    }

    /// Whether there are no problems.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A problem.
    ///
    /// # Errors
    /// A file that cannot be read any more, or a row that has no prompt or whose prompt the renderer cannot encode.
    ///
    /// # Panics
    /// If `at` is not below [`Self::len`].
    pub fn get(&self, at: usize) -> Result<Problem, TrainError> {
        let (rows, renderer) = match &self.0 {
            Source::Memory(problems) => return Ok(problems[at].clone()),
            Source::Rows(rows, renderer) => (rows, renderer),
        };
        let row = rows.row(at).map_err(TrainError::data)?;
        let problem = Problem::of_row(renderer, &row)
            .unwrap_or_else(|| Err("has no prompt; give `prompt` and `answer`".into()));
        problem.map_err(|error| TrainError::row(&row, &*error))
    }
}

impl From<Vec<Problem>> for Problems {
    fn from(problems: Vec<Problem>) -> Self {
        Self(Source::Memory(problems))
    }
}
