//! Description of a base model.

/// What a backend serves.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelInfo {
    /// The name users give as `base_model`.
    pub name: String,
    /// Family of the architecture, for example `qwen3`.
    pub arch: String,
    /// Number of token ids; ids run from 0 to one below it.
    pub vocab_size: usize,
    /// Longest sequence, prompt and generated tokens together.
    pub context: usize,
    /// Parameters of the base model.
    pub parameters: u64,
    /// Tokens that end a sequence unless a request says otherwise.
    pub end_tokens: Vec<u32>,
    /// Name of the tokenizer, for clients that pick theirs by it.
    pub tokenizer: Option<String>,
    /// The folder it was loaded from, if it was.
    pub folder: Option<std::path::PathBuf>,
}

impl ModelInfo {
    /// Describes a model; `end_tokens` starts empty, `tokenizer` and `folder` unset.
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
        }
    }
}
