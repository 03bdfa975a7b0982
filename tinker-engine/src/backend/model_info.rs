//! Description of a base model.

/// Description of a base model.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BaseModelInfo {
    /// The name users give as `base_model`.
    pub name: String,
    /// Family of the architecture, for example `qwen3`.
    pub arch: String,
    /// Number of token ids, which run from 0.
    pub vocab_size: usize,
    /// Longest sequence in tokens, prompt and generated tokens together.
    pub context: usize,
    /// Number of parameters.
    pub parameters: u64,
    /// Tokens that end a sequence unless a request says otherwise.
    pub end_tokens: Vec<u32>,
    /// Name of the tokenizer, by which clients choose theirs.
    pub tokenizer: Option<String>,
    /// The folder it was loaded from, if any.
    pub folder: Option<std::path::PathBuf>,
    /// Digest of the names, shapes and a sample of the numbers of the weights, if they are from a folder. Equal weights
    /// have equal digests, in any precision that holds them exactly.
    pub fingerprint: Option<String>,
}

impl BaseModelInfo {
    /// Describes a model; `end_tokens` starts empty, `tokenizer`, `folder` and `fingerprint` unset.
    pub fn new(
        name: impl Into<String>,
        arch: impl Into<String>,
        vocab_size: usize,
        context: usize,
    ) -> Self {
        Self {
            name: name.into(),
            arch: arch.into(),
            vocab_size,
            context,
            parameters: 0,
            end_tokens: Vec::new(),
            tokenizer: None,
            folder: None,
            fingerprint: None,
        }
    }
}
