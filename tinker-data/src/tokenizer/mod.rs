//! Tokenizers: text to tokens and back.

#[cfg(feature = "tokenizers")]
mod added;
mod byte;
#[cfg(feature = "tokenizers")]
mod ends;
#[cfg(feature = "tokenizers")]
mod hugging_face;
#[cfg(feature = "tokenizers")]
mod prefix;

use std::ops::Range;

pub use byte::ByteTokenizer;

use tinker_types::ModelInfo;

use crate::error::ChatError;

/// Ids of the byte tokenizer: its name, and the built-in model, which stands for its tokenizer where a server names
/// none.
const BYTES: [&str; 2] = ["tinker-local/bytes", "tinker-local/tiny"];

/// Text to tokens and back. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tokenizer(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Bytes,
    #[cfg(feature = "tokenizers")]
    HuggingFace(std::sync::Arc<hugging_face::HuggingFace>),
}

impl Tokenizer {
    /// The tokenizer of the built-in model, see [`ByteTokenizer`].
    pub fn bytes() -> Self {
        Self(Kind::Bytes)
    }

    /// The tokenizer of a Hugging Face model, from the folder that holds its `tokenizer.json` and, if it has one, its
    /// `tokenizer_config.json`.
    ///
    /// Token ids are those of Python's `AutoTokenizer`. Truncation and padding that are stored in the file do not
    /// apply.
    ///
    /// # Errors
    /// Files that are missing, cannot be read, are Git LFS pointers, or disagree about the id of a token.
    #[cfg(feature = "tokenizers")]
    pub fn from_folder(folder: impl AsRef<std::path::Path>) -> Result<Self, ChatError> {
        let tokenizer = hugging_face::HuggingFace::from_folder(folder.as_ref())?;
        Ok(Self(Kind::HuggingFace(std::sync::Arc::new(tokenizer))))
    }

    /// The tokenizer with this id, if it needs no files. A revision after a colon is ignored. The id of the byte tokenizer
    /// may also be a folder that ends with its name, as `tinker serve` reports it for clients that need files.
    pub fn from_id(id: &str) -> Option<Self> {
        let name = id.split(':').next().unwrap_or(id);
        let is_folder = id.ends_with(&format!("/{}", BYTES[0]));
        (is_folder || BYTES.contains(&name)).then(Self::bytes)
    }

    /// The name on the Hugging Face Hub under which the tokenizer of a model is found, if the server does not report one.
    /// A variant of a model (`org/model/variant`, `org/model:variant`) has the tokenizer of the model, and those of Llama 3
    /// have a copy without restrictions.
    ///
    /// ```
    /// use tinker_data::Tokenizer;
    ///
    /// assert_eq!(Tokenizer::id_of_model("Qwen/Qwen3-8B:long"), "Qwen/Qwen3-8B");
    /// ```
    pub fn id_of_model(name: &str) -> &str {
        if std::path::Path::new(name).is_absolute() {
            return name;
        }
        let name = name.split(':').next().unwrap_or(name);
        if name.starts_with("meta-llama/Llama-3") {
            return "thinkingmachineslabinc/meta-llama-3-instruct-tokenizer";
        }
        match name.match_indices('/').nth(1) {
            Some((second, _)) if name.matches('/').count() == 2 => &name[..second],
            _ => name,
        }
    }

    /// The tokenizer that a model names, if it needs no files.
    ///
    /// # Errors
    /// A tokenizer that has to be loaded from a folder; the message names it.
    pub fn for_model(info: &ModelInfo) -> Result<Self, ChatError> {
        let names = &info.model_data;
        let id = names
            .tokenizer_id
            .as_deref()
            .or(names.model_name.as_deref().map(Self::id_of_model))
            .ok_or_else(|| {
                ChatError::new("the server does not name the model's tokenizer; choose one")
            })?;
        Self::from_id(id).ok_or_else(|| {
            let name = id.split(':').next().unwrap_or(id);
            ChatError::new(format!(
                "the model's tokenizer is {name:?}; download its tokenizer.json and pass the folder to Tokenizer::from_folder (feature `tokenizers`)"
            ))
        })
    }

    /// Tokens of a text in which a chat template has written the special tokens: none are added.
    ///
    /// # Errors
    /// A text that the vocabulary cannot express; never for bytes.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        match &self.0 {
            Kind::Bytes => Ok(ByteTokenizer.encode(text)),
            #[cfg(feature = "tokenizers")]
            Kind::HuggingFace(tokenizer) => tokenizer.encode(text),
        }
    }

    /// Tokens of a text that continues another one: without special tokens, and without the space that some tokenizers
    /// put before a text.
    #[cfg_attr(
        not(feature = "tokenizers"),
        expect(clippy::unnecessary_wraps, reason = "other tokenizers can fail")
    )]
    pub(crate) fn encode_rest(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        match &self.0 {
            Kind::Bytes => Ok(ByteTokenizer.encode(text)),
            #[cfg(feature = "tokenizers")]
            Kind::HuggingFace(tokenizer) => tokenizer.encode_rest(text),
        }
    }

    /// Tokens of a text, with the start and end tokens that the model expects around a plain text: those that
    /// `AutoTokenizer` adds, by the post-processor of `tokenizer.json`. None for bytes.
    ///
    /// # Errors
    /// A text that the vocabulary cannot express; never for bytes.
    pub fn encode_with_special_tokens(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        match &self.0 {
            Kind::Bytes => Ok(ByteTokenizer.encode(text)),
            #[cfg(feature = "tokenizers")]
            Kind::HuggingFace(tokenizer) => tokenizer.encode_with_special_tokens(text),
        }
    }

    /// Whether it is the token for text that the vocabulary lacks. Equal ids then stand for different texts.
    pub(crate) fn is_unknown(&self, token: u32) -> bool {
        let is_unknown = |unknown: Option<u32>| unknown == Some(token);
        match &self.0 {
            Kind::Bytes => is_unknown(None),
            #[cfg(feature = "tokenizers")]
            Kind::HuggingFace(tokenizer) => is_unknown(tokenizer.unknown()),
        }
    }

    /// Digest of the files that determine the tokens of a text; `None` for bytes.
    pub(crate) fn digest(&self) -> Option<[u8; 16]> {
        match &self.0 {
            Kind::Bytes => None,
            #[cfg(feature = "tokenizers")]
            Kind::HuggingFace(tokenizer) => Some(tokenizer.digest()),
        }
    }

    /// Number of ids: one more than the greatest id of a token. A model may have more ids than its tokenizer.
    pub fn vocab_size(&self) -> usize {
        match &self.0 {
            Kind::Bytes => ByteTokenizer::END as usize + 1,
            #[cfg(feature = "tokenizers")]
            Kind::HuggingFace(tokenizer) => tokenizer.vocab_size(),
        }
    }

    /// Text of tokens. Special tokens are left out, and bytes that are not UTF-8 become `U+FFFD`. An id without a token
    /// is shown as a number, `<|151700|>`; the byte tokenizer leaves it out.
    ///
    /// # Errors
    /// A tokenizer whose decoder does not accept the tokens; never for bytes.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, ChatError> {
        match &self.0 {
            Kind::Bytes => Ok(ByteTokenizer.decode(tokens)),
            #[cfg(feature = "tokenizers")]
            Kind::HuggingFace(tokenizer) => tokenizer.decode(tokens),
        }
    }

    /// The token that ends a text or an answer; `None` if the tokenizer names none.
    pub fn end_token(&self) -> Option<u32> {
        match &self.0 {
            Kind::Bytes => Some(ByteTokenizer::END),
            #[cfg(feature = "tokenizers")]
            Kind::HuggingFace(tokenizer) => tokenizer.end_token(),
        }
    }

    /// Files that name end tokens, with the ids that each names.
    pub(crate) fn ends(&self) -> Vec<(&'static str, Vec<u32>)> {
        match &self.0 {
            Kind::Bytes => vec![("the byte tokenizer", vec![ByteTokenizer::END])],
            #[cfg(feature = "tokenizers")]
            Kind::HuggingFace(tokenizer) => {
                let named = tokenizer.ends().iter();
                named.map(|named| (named.file, named.ids.clone())).collect()
            }
        }
    }

    /// Whether a token controls the model, such as the marks of a conversation, and has no text.
    pub fn is_control(&self, token: u32) -> bool {
        match &self.0 {
            Kind::Bytes => token >= ByteTokenizer::END,
            #[cfg(feature = "tokenizers")]
            Kind::HuggingFace(tokenizer) => tokenizer.is_control(token),
        }
    }

    /// The text before the control token with which a text ends; `None` if it ends with none.
    #[cfg_attr(
        not(feature = "tokenizers"),
        expect(unused_variables, reason = "the byte tokenizer writes no tokens")
    )]
    pub(crate) fn before_control_token<'t>(&self, text: &'t str) -> Option<&'t str> {
        match &self.0 {
            Kind::Bytes => None,
            #[cfg(feature = "tokenizers")]
            Kind::HuggingFace(tokenizer) => tokenizer.before_control_token(text),
        }
    }

    /// Entry of the vocabulary with this id; for control tokens their written form.
    #[cfg_attr(
        not(feature = "tokenizers"),
        expect(unused_variables, reason = "the byte tokenizer writes no tokens")
    )]
    pub(crate) fn written(&self, token: u32) -> Option<String> {
        match &self.0 {
            Kind::Bytes => None,
            #[cfg(feature = "tokenizers")]
            Kind::HuggingFace(tokenizer) => tokenizer.written(token),
        }
    }

    /// The first control token that a text contains in its written form. Encoding the text gives that token, not its
    /// letters, so that a user's text can end a turn.
    #[cfg_attr(
        not(feature = "tokenizers"),
        expect(unused_variables, reason = "the byte tokenizer writes no tokens")
    )]
    pub fn control_token_in(&self, text: &str) -> Option<&str> {
        match &self.0 {
            Kind::Bytes => None,
            #[cfg(feature = "tokenizers")]
            Kind::HuggingFace(tokenizer) => tokenizer.control_token_in(text),
        }
    }

    /// Tokens with their byte range in the text.
    #[cfg_attr(
        not(feature = "tokenizers"),
        expect(clippy::unnecessary_wraps, reason = "other tokenizers can fail")
    )]
    pub(crate) fn encode_with_places(
        &self,
        text: &str,
    ) -> Result<Vec<(u32, Range<usize>)>, ChatError> {
        match &self.0 {
            Kind::Bytes => {
                let tokens = ByteTokenizer.encode(text).into_iter().enumerate();
                Ok(tokens.map(|(at, token)| (token, at..at + 1)).collect())
            }
            #[cfg(feature = "tokenizers")]
            Kind::HuggingFace(tokenizer) => tokenizer.encode_with_places(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinker_types::ModelData;

    #[test]
    fn a_model_names_its_tokenizer() {
        let mut names = ModelData::default();
        names.tokenizer_id = Some("tinker-local/bytes:v1".into());
        let mut info = ModelInfo::new("m".into(), names);
        assert!(Tokenizer::for_model(&info).is_ok());
        let folder = "/data/tokenizers/tinker-local/bytes";
        info.model_data.tokenizer_id = Some(folder.into());
        assert!(Tokenizer::for_model(&info).is_ok());
        info.model_data.tokenizer_id = None;
        info.model_data.model_name = Some("tinker-local/tiny".into());
        assert!(Tokenizer::for_model(&info).is_ok());
        info.model_data.tokenizer_id = Some("Qwen/Qwen3-8B:main".into());
        let error = Tokenizer::for_model(&info).unwrap_err().to_string();
        assert!(error.contains("\"Qwen/Qwen3-8B\""), "{error}");
        info.model_data.tokenizer_id = None;
        info.model_data.model_name = Some("org/model/variant".into());
        let error = Tokenizer::for_model(&info).unwrap_err().to_string();
        assert!(error.contains("\"org/model\""), "{error}");
    }

    #[test]
    fn names_of_models_lead_to_their_tokenizers() {
        let llama = "thinkingmachineslabinc/meta-llama-3-instruct-tokenizer";
        for (model, tokenizer) in [
            ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
            ("Qwen/Qwen3-8B:long", "Qwen/Qwen3-8B"),
            ("meta-llama/Llama-3.1-8B", llama),
            ("meta-llama/Llama-3.3-70B-Instruct:a:b", llama),
            ("meta-llama/Llama-2-7b", "meta-llama/Llama-2-7b"),
            ("org/model/variant", "org/model"),
            ("/models/model", "/models/model"),
            ("tinker-local/tiny", "tinker-local/tiny"),
            ("gpt2", "gpt2"),
        ] {
            assert_eq!(Tokenizer::id_of_model(model), tokenizer, "{model}");
        }
    }
}
