//! Configuration of a decoder, named as in a Hugging Face `config.json`.

use super::rope::RopeScaling;
use crate::backend::BackendError;

/// A family of decoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arch {
    /// Llama 2 and 3, Mistral and others of their shape.
    Llama,
    /// Qwen 2 and 2.5: biases on the query, key and value projections.
    Qwen2,
    /// Qwen 3: queries and keys are normalised per head.
    Qwen3,
}

impl Arch {
    /// The `model_type` of a configuration file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }
}

/// Configuration of a decoder. Field names are those of Hugging Face.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent features of a model"
)]
pub struct ModelConfig {
    /// Family, which determines the names of the tensors.
    pub arch: Arch,
    /// Number of token ids.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the MLP.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads; divides the query heads.
    pub num_key_value_heads: usize,
    /// Width of one head; even.
    pub head_dim: usize,
    /// Longest sequence, in tokens.
    pub max_position_embeddings: usize,
    /// Added to the mean square in every RMSNorm.
    pub rms_norm_eps: f32,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Scaling of the rotary frequencies for longer sequences.
    pub rope_scaling: RopeScaling,
    /// Whether the output head is the embedding.
    pub tie_word_embeddings: bool,
    /// Whether the query, key and value projections have biases.
    pub qkv_bias: bool,
    /// Whether the attention's output projection has a bias.
    pub o_bias: bool,
    /// Whether each query and key head is normalised.
    pub qk_norm: bool,
}

impl ModelConfig {
    /// The built-in byte-level model: 0.8 million parameters, Qwen 3 in shape.
    pub fn tiny() -> Self {
        Self {
            arch: Arch::Qwen3,
            vocab_size: 288,
            hidden_size: 128,
            intermediate_size: 384,
            num_hidden_layers: 4,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            head_dim: 32,
            max_position_embeddings: 1024,
            rms_norm_eps: 1e-6,
            rope_theta: 10_000.0,
            rope_scaling: RopeScaling::None,
            tie_word_embeddings: true,
            qkv_bias: false,
            o_bias: false,
            qk_norm: true,
        }
    }

    /// Width of all query heads together.
    pub fn query_width(&self) -> usize {
        self.num_attention_heads * self.head_dim
    }

    /// Width of all key heads together, which is that of the values.
    pub fn key_width(&self) -> usize {
        self.num_key_value_heads * self.head_dim
    }

    /// Queries, keys and values side by side.
    pub(crate) fn qkv_width(&self) -> usize {
        self.query_width() + 2 * self.key_width()
    }

    /// Query heads that share one key head.
    pub(crate) fn group(&self) -> usize {
        self.num_attention_heads / self.num_key_value_heads
    }

    /// Factor of the attention scores: `1 / sqrt(head_dim)`.
    pub(crate) fn softmax_scale(&self) -> f32 {
        (1.0 / (self.head_dim as f64).sqrt()) as f32
    }

    /// Rotation of each pair of a head from one position to the next, in radians: `[head_dim / 2]`.
    pub(crate) fn rope_frequencies(&self) -> Vec<f32> {
        self.rope_scaling
            .frequencies(self.rope_theta, self.head_dim)
    }

    /// Checks that the configuration describes a decoder of these families.
    ///
    /// # Errors
    /// A size is 0 or too large, `head_dim` is odd, the head counts do not divide, or a constant is out of range.
    pub fn check(&self) -> Result<(), BackendError> {
        let refuse = |what: &str| {
            Err(BackendError::user(format!(
                "the model configuration is not usable: {what}"
            )))
        };
        let sizes = [
            self.vocab_size,
            self.hidden_size,
            self.intermediate_size,
            self.num_hidden_layers,
            self.num_attention_heads,
            self.num_key_value_heads,
            self.head_dim,
            self.max_position_embeddings,
        ];
        if sizes.contains(&0) {
            return refuse("a size is 0");
        }
        if sizes.iter().any(|size| *size > MOST) || self.num_hidden_layers > MOST_LAYERS {
            return refuse("a size is above the supported maximum");
        }
        if !self.head_dim.is_multiple_of(2) {
            return refuse("head_dim is odd; rotary embeddings need an even one");
        }
        if !self
            .num_attention_heads
            .is_multiple_of(self.num_key_value_heads)
        {
            return refuse("num_key_value_heads does not divide num_attention_heads");
        }
        if !(self.rms_norm_eps >= 0.0 && self.rms_norm_eps.is_finite()) {
            return refuse("rms_norm_eps is not a finite number, at least 0");
        }
        if !(self.rope_theta >= 1.0 && self.rope_theta.is_finite()) {
            return refuse("rope_theta is not a finite number, at least 1");
        }
        if !self.rope_scaling.is_usable() {
            return refuse("the numbers of rope_scaling are not positive and in order");
        }
        Ok(())
    }
}

/// Largest size and largest number of blocks: products of two sizes can't overflow, and a list of all tensors fits in
/// memory.
const MOST: usize = 1 << 24;
const MOST_LAYERS: usize = 1 << 10;
