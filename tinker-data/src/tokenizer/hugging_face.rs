//! Tokenizers of Hugging Face models.

use std::fmt;
use std::path::Path;

use crate::error::ChatError;
use crate::model_folder::TokenizerConfig;

/// A tokenizer from its `tokenizer.json`.
pub(super) struct HuggingFace {
    tokenizer: tokenizers::Tokenizer,
    end: Option<u32>,
}

impl HuggingFace {
    pub(super) fn from_folder(folder: &Path) -> Result<Self, ChatError> {
        let path = folder.join("tokenizer.json");
        let tokenizer = tokenizers::Tokenizer::from_file(&path).map_err(|error| {
            ChatError::new(format!("{}: cannot be loaded", path.display())).with_source(error)
        })?;
        let end = TokenizerConfig::read(folder)?
            .special_tokens()
            .get("eos_token")
            .and_then(|token| tokenizer.token_to_id(token));
        Ok(Self { tokenizer, end })
    }

    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        // Templates write the special tokens themselves.
        let encoding = self.tokenizer.encode_fast(text, false).map_err(refuse)?;
        Ok(encoding.get_ids().to_vec())
    }

    pub(super) fn encode_with_starts(&self, text: &str) -> Result<Vec<(u32, usize)>, ChatError> {
        let encoding = self.tokenizer.encode(text, false).map_err(refuse)?;
        let starts = encoding.get_offsets().iter().map(|(start, _)| *start);
        Ok(encoding.get_ids().iter().copied().zip(starts).collect())
    }

    pub(super) fn decode(&self, tokens: &[u32]) -> Result<String, ChatError> {
        self.tokenizer.decode(tokens, true).map_err(refuse)
    }

    pub(super) fn end_token(&self) -> Option<u32> {
        self.end
    }
}

impl fmt::Debug for HuggingFace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HuggingFace")
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

fn refuse(error: tokenizers::Error) -> ChatError {
    ChatError::new("the tokenizer does not accept the input").with_source(error)
}
