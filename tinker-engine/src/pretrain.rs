//! Pretraining: training every weight of a small model from scratch. The built-in base model is made with it.
//!
//! ```
//! use tinker_engine::{ModelConfig, pretrain::{Pretrainer, StepConstants}};
//!
//! let mut config = ModelConfig::tiny();
//! config.num_hidden_layers = 1;
//! let mut pretrainer = Pretrainer::new(config, 0)?.with_threads(2);
//! let text: Vec<u32> = b"to be or not to be".iter().map(|b| u32::from(*b)).collect();
//! let constants = StepConstants::new(3e-3);
//! let first = pretrainer.step(&[&text], &constants)?.loss;
//! for _ in 0..10 {
//!     pretrainer.step(&[&text], &constants)?;
//! }
//! assert!(pretrainer.evaluate(&[&text])? < first);
//! let file: Vec<u8> = pretrainer.export()?;
//! # Ok::<(), tinker_engine::backend::BackendError>(())
//! ```

mod checkpoint;

use std::sync::Arc;

use crate::adapter::{AdamW, norm};
use crate::backend::{AdamStep, BackendError};
use crate::model::{Model, ModelConfig, Term, Weights};
use crate::threads::ThreadPool;
use crate::train::{Example, GradientScope, TrainingPool, pack};

/// Constants of one pretraining step.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct StepConstants {
    /// Step size; a schedule is up to the caller.
    pub learning_rate: f64,
    /// Decay of the first moment; 0.9.
    pub beta1: f64,
    /// Decay of the second moment; 0.95.
    pub beta2: f64,
    /// Added to the root of the second moment; 1e-8.
    pub eps: f64,
    /// Decoupled weight decay of matrices, 0.1; norms and biases do not decay.
    pub weight_decay: f64,
    /// Largest global gradient norm, 1; 0 disables clipping.
    pub grad_clip_norm: f64,
}

impl StepConstants {
    /// The default constants with a step size.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-8,
            weight_decay: 0.1,
            grad_clip_norm: 1.0,
        }
    }
}

/// Results of one step, from before the update.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct StepReport {
    /// Mean negative log probability of the predicted tokens, in nats.
    pub loss: f64,
    /// Norm of the gradient of that mean, before clipping.
    pub grad_norm: f64,
    /// Number of predicted tokens.
    pub tokens: usize,
}

/// A model all of whose weights are trained to predict the next token.
#[derive(Debug)]
pub struct Pretrainer {
    config: ModelConfig,
    weights: Weights,
    model: Model,
    optimizer: AdamW,
    grads: Vec<f32>,
    training: TrainingPool,
}

impl Pretrainer {
    /// A model with random weights, one thread.
    ///
    /// # Errors
    /// The configuration does not describe a model.
    pub fn new(config: ModelConfig, seed: u64) -> Result<Self, BackendError> {
        config.check()?;
        let weights = Weights::random(&config, seed);
        Ok(Self::from_parts(config, weights, None))
    }

    /// Resumes from the bytes of [`Pretrainer::save`], or, with a new optimizer, from those of [`Pretrainer::export`].
    ///
    /// # Errors
    /// They are not such a file, or are of a model with another configuration.
    pub fn resume(config: ModelConfig, bytes: &[u8]) -> Result<Self, BackendError> {
        config.check()?;
        let (weights, optimizer) = Weights::with_optimizer(&config, bytes)?;
        Ok(Self::from_parts(config, weights, optimizer))
    }

    fn from_parts(config: ModelConfig, weights: Weights, optimizer: Option<AdamW>) -> Self {
        let n = weights.data.len();
        let model = Model::new(config.clone(), &weights);
        let optimizer = optimizer.unwrap_or_else(|| AdamW::new(n));
        Self {
            config,
            weights,
            model,
            optimizer,
            grads: vec![0.0; n],
            training: TrainingPool::new(Arc::new(ThreadPool::new(1))),
        }
    }

    /// Sets the number of threads, 1 by default. Results do not depend on it.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.training = TrainingPool::new(Arc::new(ThreadPool::new(threads)));
        self
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Number of steps taken, including those before a resumption.
    pub fn steps(&self) -> u64 {
        self.optimizer.step
    }

    /// One AdamW step on the mean loss over all next tokens of the sequences. A sequence may hold several documents with an
    /// end token between them; its first token is not predicted.
    ///
    /// # Errors
    /// A sequence is shorter than 2 tokens or longer than the context plus one, a token is outside the vocabulary, or the
    /// gradient is not finite; weights and optimizer are unchanged.
    pub fn step<S: AsRef<[u32]>>(
        &mut self,
        sequences: &[S],
        c: &StepConstants,
    ) -> Result<StepReport, BackendError> {
        self.grads.fill(0.0);
        let (loss, tokens) = self.pass(sequences, GradientScope::AllWeights)?;
        self.training.add_to(&mut self.grads);
        let grad_norm = norm(&self.grads);
        if !(grad_norm.is_finite() && loss.is_finite()) {
            return Err(BackendError::server(
                "the gradient is not finite; lower the learning rate and resume",
            ));
        }
        let constants = AdamStep {
            learning_rate: c.learning_rate,
            beta1: c.beta1,
            beta2: c.beta2,
            eps: c.eps,
            weight_decay: c.weight_decay,
            grad_clip_norm: c.grad_clip_norm,
        };
        let slots = &self.weights.layout.table.slots;
        let decays: Vec<_> = slots
            .iter()
            .map(|slot| (slot.at.end, slot.shape.len() > 1))
            .collect();
        self.optimizer.apply(
            &mut self.weights.data,
            &self.grads,
            grad_norm,
            &constants,
            &decays,
        );
        self.model.repack(&self.weights.data);
        Ok(StepReport {
            loss,
            grad_norm,
            tokens,
        })
    }

    /// The mean loss over the sequences, in nats per token.
    ///
    /// # Errors
    /// As [`Pretrainer::step`].
    pub fn evaluate<S: AsRef<[u32]>>(&mut self, sequences: &[S]) -> Result<f64, BackendError> {
        Ok(self.pass(sequences, GradientScope::None)?.0)
    }

    fn pass<S: AsRef<[u32]>>(
        &mut self,
        sequences: &[S],
        scope: GradientScope,
    ) -> Result<(f64, usize), BackendError> {
        let (context, vocab) = (self.config.max_position_embeddings, self.config.vocab_size);
        let mut examples = Vec::with_capacity(sequences.len());
        for (i, sequence) in sequences.iter().enumerate() {
            let all = sequence.as_ref();
            if all.len() < 2 || all.len() > context + 1 {
                let n = all.len();
                return Err(BackendError::user(format!(
                    "sequence {i} has {n} tokens; 2 to {} can be used",
                    context + 1
                )));
            }
            if let Some(token) = all.iter().find(|t| **t as usize >= vocab) {
                return Err(BackendError::user(format!(
                    "sequence {i} has token {token}; ids run from 0 to {}",
                    vocab - 1
                )));
            }
            examples.push(Example {
                tokens: &all[..all.len() - 1],
                targets: &all[1..],
                width: 1,
            });
        }
        let tokens: usize = examples.iter().map(|e| e.targets.len()).sum();
        if tokens == 0 {
            return Err(BackendError::user(
                "no sequences were given; give at least one",
            ));
        }
        let weight = 1.0 / tokens as f64;
        let term = |_: usize, lp: f32| {
            Some(Term {
                loss: -f64::from(lp) * weight,
                slope: -weight as f32,
            })
        };
        let outcome = self.training.run(
            &self.model,
            None,
            &pack(&examples),
            scope,
            self.grads.len(),
            &term,
        );
        Ok((outcome.loss, tokens))
    }

    /// The weights as an f16 safetensors file with Hugging Face names: the built-in model's format.
    ///
    /// # Errors
    /// The file can't be encoded.
    pub fn export(&self) -> Result<Vec<u8>, BackendError> {
        self.weights.to_f16_safetensors()
    }

    /// Weights and optimizer in full precision, for [`Pretrainer::resume`].
    ///
    /// # Errors
    /// The file can't be encoded.
    pub fn save(&self) -> Result<Vec<u8>, BackendError> {
        self.weights.to_checkpoint(&self.optimizer)
    }
}

#[cfg(test)]
mod tests;
