//! Training batches and losses.

/// A loss with its constants. Each is a sum over tokens and data: `lp` is the log probability of a target, `q` that of
/// the policy that sampled it, `A` its advantage, `w` its weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LossKind {
    /// `-sum w lp`.
    CrossEntropy,
    /// `-sum r A`, with `r = exp(lp - q)`.
    ImportanceSampling,
    /// `-sum min(r A, clamp(r, low, high) A)`.
    Ppo {
        /// Lower bound of the ratio.
        low: f32,
        /// Upper bound of the ratio.
        high: f32,
    },
    /// `-sum stopgrad(clamp(r, low, high)) lp A`.
    Cispo {
        /// Lower bound of the ratio.
        low: f32,
        /// Upper bound of the ratio.
        high: f32,
    },
    /// `-sum (lp A - beta/2 (lp - q)^2)`.
    Dro {
        /// Strength of the quadratic penalty.
        beta: f32,
    },
}

/// One training example. `T` is the number of input tokens; position `t` of the input predicts `targets[t]`, so a caller
/// shifts by one. Arrays of `[T, K]` are row-major.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrainDatum {
    /// Input token ids, `[T]`.
    pub tokens: Vec<u32>,
    /// Target token ids, `[T, K]`.
    pub targets: Vec<u32>,
    /// Targets per position, `K`: 1 unless a whole distribution is distilled (cross entropy only).
    pub targets_per_position: usize,
    /// Weight of each cell, `[T, K]`; cross entropy.
    pub weights: Option<Vec<f32>>,
    /// Log probability of each target under the policy that sampled it, `[T]`.
    pub logprobs: Option<Vec<f32>>,
    /// Advantage of each target, `[T]`.
    pub advantages: Option<Vec<f32>>,
    /// Lower ratio bound of each token instead of the loss's constant, `[T]`.
    pub clip_low: Option<Vec<f32>>,
    /// Upper ratio bound of each token instead of the loss's constant, `[T]`.
    pub clip_high: Option<Vec<f32>>,
}

/// The data of one `forward` or `forward_backward`.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainBatch {
    /// The examples.
    pub data: Vec<TrainDatum>,
    /// The loss over them.
    pub loss: LossKind,
    /// Computes loss and log probabilities without gradients.
    pub forward_only: bool,
}

/// Result of a training pass.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOutput {
    /// Log probability of each target, `[T, K]` for each datum, in order.
    pub logprobs: Vec<Vec<f32>>,
    /// The loss, summed over the batch.
    pub loss_sum: f64,
    /// Further metrics, named `name:reduction`.
    pub metrics: Vec<(String, f64)>,
}
