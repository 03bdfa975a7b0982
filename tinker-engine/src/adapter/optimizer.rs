//! AdamW as PyTorch computes it, over one flat array of parameters.

use crate::backend::AdamStep;
use crate::kernels::{AdamConstants, adam, sum_of_squares};

/// Optimizer state.
#[derive(Debug, Clone, Default)]
pub(crate) struct AdamW {
    /// Steps taken.
    pub(crate) step: u64,
    /// First moments.
    pub(crate) first: Vec<f32>,
    /// Second moments.
    pub(crate) second: Vec<f32>,
}

impl AdamW {
    /// The state before the first step, for `n` parameters.
    pub(crate) fn new(n: usize) -> Self {
        Self {
            step: 0,
            first: vec![0.0; n],
            second: vec![0.0; n],
        }
    }

    /// Updates the weights. `norm` is the norm of the gradients, which are clipped as `torch.nn.utils.clip_grad_norm_`
    /// does. `decays` lists ranges of the parameters by their end, and whether weight decay applies to them.
    pub(crate) fn apply(
        &mut self,
        weights: &mut [f32],
        grads: &[f32],
        norm: f64,
        c: &AdamStep,
        decays: &[(usize, bool)],
    ) {
        self.step += 1;
        let steps = self.step as f64;
        let clip = if c.grad_clip_norm > 0.0 {
            (c.grad_clip_norm / (norm + 1e-6)).min(1.0)
        } else {
            1.0
        };
        let correction = 1.0 - c.beta2.powf(steps);
        let mut constants = AdamConstants {
            beta1: c.beta1 as f32,
            fresh1: (1.0 - c.beta1) as f32,
            beta2: c.beta2 as f32,
            fresh2: (1.0 - c.beta2) as f32,
            step_size: (c.learning_rate / (1.0 - c.beta1.powf(steps))) as f32,
            root: (1.0 / correction.sqrt()) as f32,
            eps: c.eps as f32,
            keep: 1.0,
            clip: clip as f32,
        };
        let mut from = 0;
        for (to, decay) in decays {
            constants.keep = if *decay {
                (1.0 - c.learning_rate * c.weight_decay) as f32
            } else {
                1.0
            };
            let at = from..*to;
            let (first, second) = (&mut self.first[at.clone()], &mut self.second[at.clone()]);
            adam(
                &mut weights[at.clone()],
                &grads[at],
                first,
                second,
                constants,
            );
            from = *to;
        }
    }
}

/// Euclidean norm.
pub(crate) fn norm(x: &[f32]) -> f64 {
    sum_of_squares(x).sqrt()
}
