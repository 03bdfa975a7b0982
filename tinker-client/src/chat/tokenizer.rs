//! Text to tokens and back.

use super::ChatError;
use tinker_types::ModelInfo;

/// Names of the byte-level tokenizer: its own, and that of the local engine's built-in model, by
/// which a model that names no tokenizer is known.
const BYTES: [&str; 2] = ["tinker-local/bytes", "tinker-local/tiny"];

/// Ends a text or a turn in the byte-level vocabulary.
const BYTES_END: u32 = 256;

/// Text to tokens and back. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tokenizer(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Bytes,
    #[cfg(feature = "tokenizers")]
    HuggingFace(std::sync::Arc<super::hugging_face::HuggingFace>),
}

impl Tokenizer {
    /// The tokenizer of the built-in model: a token is a byte, and 256 ends a text or a turn.
    pub fn bytes() -> Self {
        Self(Kind::Bytes)
    }

    /// The tokenizer of a Hugging Face model, from the folder that holds its `tokenizer.json`.
    ///
    /// # Errors
    /// Files that are missing or cannot be read.
    #[cfg(feature = "tokenizers")]
    pub fn from_folder(folder: impl AsRef<std::path::Path>) -> Result<Self, ChatError> {
        let tokenizer = super::hugging_face::HuggingFace::from_folder(folder.as_ref())?;
        Ok(Self(Kind::HuggingFace(std::sync::Arc::new(tokenizer))))
    }

    /// The tokenizer a model says it has, if it is one that needs no files.
    ///
    /// # Errors
    /// A tokenizer that has to be loaded from a folder; the message names it.
    pub fn for_model(info: &ModelInfo) -> Result<Self, ChatError> {
        let names = &info.model_data;
        let id = names
            .tokenizer_id
            .as_deref()
            .or(names.model_name.as_deref());
        match id.and_then(|id| id.split(':').next()) {
            Some(id) if BYTES.contains(&id) => Ok(Self::bytes()),
            Some(id) => Err(ChatError::new(format!(
                "the model's tokenizer is {id:?}; download its tokenizer.json and give the folder to Tokenizer::from_folder (feature `tokenizers`)"
            ))),
            None => Err(ChatError::new(
                "the server does not say which tokenizer the model has; choose one",
            )),
        }
    }

    /// The tokens of a text. Nothing is put before or after it.
    ///
    /// # Errors
    /// A text the vocabulary cannot express; never for bytes.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        match &self.0 {
            Kind::Bytes => Ok(text.bytes().map(u32::from).collect()),
            #[cfg(feature = "tokenizers")]
            Kind::HuggingFace(tokenizer) => tokenizer.encode(text),
        }
    }

    /// The text of tokens. Special tokens are left out, and bytes that are no UTF-8 become `U+FFFD`.
    ///
    /// # Errors
    /// A tokenizer without a decoder; never for bytes.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, ChatError> {
        match &self.0 {
            Kind::Bytes => {
                let bytes = tokens.iter().filter_map(|&token| u8::try_from(token).ok());
                let bytes: Vec<u8> = bytes.collect();
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            #[cfg(feature = "tokenizers")]
            Kind::HuggingFace(tokenizer) => tokenizer.decode(tokens),
        }
    }

    /// The token that ends a text or a turn; `None` if the tokenizer names none.
    pub fn end_token(&self) -> Option<u32> {
        match &self.0 {
            Kind::Bytes => Some(BYTES_END),
            #[cfg(feature = "tokenizers")]
            Kind::HuggingFace(tokenizer) => tokenizer.end_token(),
        }
    }

    /// Tokens with the byte of the text each starts at.
    #[cfg_attr(
        not(feature = "tokenizers"),
        expect(clippy::unnecessary_wraps, reason = "other tokenizers can fail")
    )]
    pub(super) fn encode_with_starts(&self, text: &str) -> Result<Vec<(u32, usize)>, ChatError> {
        match &self.0 {
            Kind::Bytes => Ok(text.bytes().map(u32::from).zip(0..).collect()),
            #[cfg(feature = "tokenizers")]
            Kind::HuggingFace(tokenizer) => tokenizer.encode_with_starts(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinker_types::ModelData;

    #[test]
    fn bytes_come_back_and_special_tokens_do_not_show() {
        let tokenizer = Tokenizer::bytes();
        let mut tokens = tokenizer.encode("h\u{e9}\n").unwrap();
        assert_eq!(tokens, [104, 0xc3, 0xa9, 10]);
        tokens.push(BYTES_END);
        assert_eq!(tokenizer.decode(&tokens).unwrap(), "h\u{e9}\n");
        assert_eq!(tokenizer.decode(&[0xc3]).unwrap(), "\u{fffd}");
    }

    #[test]
    fn a_model_names_its_tokenizer() {
        let mut names = ModelData::default();
        names.tokenizer_id = Some("tinker-local/bytes:v1".into());
        let mut info = ModelInfo::new("m".into(), names);
        assert!(Tokenizer::for_model(&info).is_ok());
        info.model_data.tokenizer_id = None;
        info.model_data.model_name = Some("tinker-local/tiny".into());
        assert!(Tokenizer::for_model(&info).is_ok());
        info.model_data.tokenizer_id = Some("Qwen/Qwen3-8B:main".into());
        let error = Tokenizer::for_model(&info).unwrap_err().to_string();
        assert!(error.contains("\"Qwen/Qwen3-8B\""), "{error}");
    }
}
