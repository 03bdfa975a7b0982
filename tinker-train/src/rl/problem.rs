//! Problems, and answers to them.

use serde::Serialize;
use tinker_client::ModelInput;
use tinker_data::{Json, Prompt, Renderer};

use crate::error::BoxError;

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
