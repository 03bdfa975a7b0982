//! Tokenizers of Hugging Face models.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;

use tokenizers::models::ModelWrapper;

use super::added::add_configured;
use super::ends::{self, Named};
use super::prefix::without_prefix_space;
use crate::error::ChatError;
use crate::hashing::Hashing;
use crate::model_file;
use crate::model_folder::TokenizerConfig;

/// A tokenizer from its `tokenizer.json`.
pub(super) struct HuggingFace {
    tokenizer: tokenizers::Tokenizer,
    /// For texts that continue another one, if `tokenizer` puts a space before each text.
    rest: Option<tokenizers::Tokenizer>,
    /// Control tokens and their written form.
    control: BTreeMap<u32, String>,
    /// First bytes of the written forms.
    control_starts: Vec<u8>,
    end: Option<u32>,
    ends: Vec<Named>,
    /// The token for text that the vocabulary lacks.
    unknown: Option<u32>,
    /// Digest of the files.
    digest: [u8; 16],
}

impl HuggingFace {
    pub(super) fn from_folder(folder: &Path) -> Result<Self, ChatError> {
        let path = folder.join("tokenizer.json");
        let refuse = |reason: &str| ChatError::new(format!("{}: {reason}", path.display()));
        let bytes = model_file::read(&path)?.ok_or_else(|| refuse("does not exist"))?;
        let config = TokenizerConfig::read(folder)?;
        let mut ends = ends::read(folder)?;
        let mut files = Hashing::new(std::io::sink());
        let hashed = files
            .write_all(&bytes)
            .and_then(|()| write!(files, "{} {ends:?}", config.text()));
        hashed.map_err(|error| refuse("cannot be loaded").with_source(error))?;
        let mut tokenizer = tokenizers::Tokenizer::from_bytes(bytes)
            .map_err(|error| refuse("cannot be loaded").with_source(error))?;
        // Settings of the program that saved the file: transformers applies them only on request.
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|error| refuse("cannot be loaded").with_source(error))?;
        add_configured(&mut tokenizer, &config, folder)?;
        tokenizer.set_encode_special_tokens(config.field("split_special_tokens") == true);
        let end = config
            .special_tokens()
            .get("eos_token")
            .and_then(|token| tokenizer.token_to_id(token));
        let rest = without_prefix_space(&tokenizer)
            .map_err(|error| refuse("cannot be loaded").with_source(error))?;
        let added = tokenizer.get_added_tokens_decoder().into_iter();
        let control = added.filter(|(_, token)| token.special && !token.content.is_empty());
        let control: BTreeMap<u32, String> =
            control.map(|(id, token)| (id, token.content)).collect();
        let starts = control.values().filter_map(|text| text.bytes().next());
        let mut control_starts: Vec<u8> = starts.collect();
        control_starts.sort_unstable();
        control_starts.dedup();
        ends.extend(end.map(|id| Named {
            file: "tokenizer_config.json",
            ids: vec![id],
        }));
        Ok(Self {
            unknown: unknown(&tokenizer),
            tokenizer,
            rest,
            control,
            control_starts,
            end,
            ends,
            digest: files.digest(),
        })
    }

    /// The token for text that the vocabulary lacks.
    pub(super) fn unknown(&self) -> Option<u32> {
        self.unknown
    }

    /// Digest of the files.
    pub(super) fn digest(&self) -> [u8; 16] {
        self.digest
    }

    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        // Templates write the special tokens themselves.
        let encoding = self.tokenizer.encode_fast(text, false).map_err(refuse)?;
        Ok(encoding.get_ids().to_vec())
    }

    pub(super) fn encode_with_special_tokens(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        let encoding = self.tokenizer.encode_fast(text, true).map_err(refuse)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Tokens of a text that continues another one.
    pub(super) fn encode_rest(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        let tokenizer = self.rest.as_ref().unwrap_or(&self.tokenizer);
        let encoding = tokenizer.encode_fast(text, false).map_err(refuse)?;
        Ok(encoding.get_ids().to_vec())
    }

    pub(super) fn encode_with_places(
        &self,
        text: &str,
    ) -> Result<Vec<(u32, Range<usize>)>, ChatError> {
        let encoding = self.tokenizer.encode(text, false).map_err(refuse)?;
        let places = encoding.get_offsets().iter();
        let places = places.map(|(start, end)| *start..*end);
        Ok(encoding.get_ids().iter().copied().zip(places).collect())
    }

    /// Text of tokens. Ids without a token become `<|id|>`.
    pub(super) fn decode(&self, tokens: &[u32]) -> Result<String, ChatError> {
        let decode = |tokens: &[u32]| self.tokenizer.decode(tokens, true).map_err(refuse);
        let is_known = |token: &u32| self.tokenizer.id_to_token(*token).is_some();
        if tokens.iter().all(is_known) {
            return decode(tokens);
        }
        let (mut text, mut known, mut before) = (String::new(), Vec::new(), String::new());
        for run in tokens.chunk_by(|a, b| is_known(a) == is_known(b)) {
            if is_known(&run[0]) {
                // Decoded with its predecessors: some tokenizers drop the space of a first token.
                known.extend_from_slice(run);
                let all = decode(&known)?;
                match all.strip_prefix(&before) {
                    Some(rest) => text.push_str(rest),
                    None => text.push_str(&decode(run)?),
                }
                before = all;
            } else {
                text.extend(run.iter().map(|token| format!("<|{token}|>")));
            }
        }
        Ok(text)
    }

    pub(super) fn end_token(&self) -> Option<u32> {
        self.end
    }

    pub(super) fn ends(&self) -> &[Named] {
        &self.ends
    }

    pub(super) fn is_control(&self, id: u32) -> bool {
        self.control.contains_key(&id)
    }

    /// The text before the control token with which a text ends.
    pub(super) fn before_control_token<'t>(&self, text: &'t str) -> Option<&'t str> {
        let mut tokens = self.control.values();
        tokens.find_map(|token| text.strip_suffix(token.as_str()))
    }

    pub(super) fn written(&self, id: u32) -> Option<String> {
        self.tokenizer.id_to_token(id)
    }

    /// The first control token that is written in a text.
    pub(super) fn control_token_in(&self, text: &str) -> Option<&str> {
        let bytes = text.as_bytes();
        let mut starts = (0..bytes.len()).filter(|&at| self.control_starts.contains(&bytes[at]));
        let written = |at: usize| {
            let mut tokens = self.control.values();
            tokens.find(|token| bytes[at..].starts_with(token.as_bytes()))
        };
        starts.find_map(written).map(String::as_str)
    }

    /// One more than the greatest id.
    pub(super) fn vocab_size(&self) -> usize {
        let vocabulary = self.tokenizer.get_vocab(true);
        vocabulary.values().max().map_or(0, |id| *id as usize + 1)
    }
}

impl fmt::Debug for HuggingFace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HuggingFace")
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

fn unknown(tokenizer: &tokenizers::Tokenizer) -> Option<u32> {
    let token = match tokenizer.get_model() {
        ModelWrapper::BPE(model) => model.get_unk_token().clone()?,
        ModelWrapper::WordLevel(model) => model.unk_token.clone(),
        ModelWrapper::WordPiece(model) => model.unk_token.clone(),
        ModelWrapper::Unigram(_) => "<unk>".to_owned(),
    };
    tokenizer.token_to_id(&token)
}

fn refuse(error: tokenizers::Error) -> ChatError {
    ChatError::new("the tokenizer does not accept the input").with_source(error)
}

#[cfg(test)]
mod tests;
