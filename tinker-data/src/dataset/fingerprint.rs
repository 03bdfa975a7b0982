//! Fingerprints of examples and prompts.

use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::example::Example;
use super::prompt::Prompt;
use super::question::question;
use crate::json::Json;

impl Example {
    /// Fingerprint of the example: equal examples have equal ones, on every machine and in every version.
    pub fn fingerprint(&self) -> u128 {
        hash(&self.to_json())
    }

    /// Fingerprint of the prompt: equal prompts have equal ones. That of the example if it has no prompt.
    ///
    /// The prompt of a conversation is what comes before its last answer.
    pub fn prompt_fingerprint(&self) -> u128 {
        self.prompt_and_question().0
    }

    /// Fingerprint of the prompt, and whether there is an answer to it.
    pub(super) fn prompt_and_question(&self) -> (u128, bool) {
        let question = question(self);
        let is_question = question.is_some();
        let prompt = match self {
            Self::Problem { prompt, .. } => Some(prompt.clone()),
            _ => question.map(|(prompt, _)| prompt),
        };
        let prompt = prompt.map(|prompt| hash(&prompt_json(prompt)));
        (prompt.unwrap_or_else(|| self.fingerprint()), is_question)
    }
}

fn prompt_json(prompt: Prompt) -> Json {
    match prompt {
        Prompt::Text(text) => Json::String(text),
        Prompt::Chat(mut conversation) => {
            for message in &mut conversation.messages {
                message.weight = 1.0;
            }
            Example::Chat(conversation).to_json()
        }
    }
}

fn hash(json: &Json) -> u128 {
    let mut text = Vec::with_capacity(json.text_length() * 5 / 4 + 64);
    // Writing to memory does not fail.
    let _infallible = serde_json::to_writer(&mut text, json);
    let mut hasher = SipHasher13::new();
    hasher.write(&text);
    hasher.finish128().into()
}
