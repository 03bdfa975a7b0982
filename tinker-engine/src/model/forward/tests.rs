//! The forward pass against the definition: plain f64 loops over the tensors of the file, by name.

use std::sync::Arc;

use super::*;
use crate::model::{Arch, ModelConfig, Weights};
use crate::random::Random;
use crate::threads::ThreadPool;
use crate::train::{Example, GradientScope, TrainingPool, pack};

struct Reference<'a> {
    config: &'a ModelConfig,
    weights: &'a Weights,
}

impl Reference<'_> {
    fn tensor(&self, name: &str) -> Option<Vec<f64>> {
        let slot = self
            .weights
            .layout
            .table
            .slots
            .iter()
            .find(|slot| slot.name == name)?;
        Some(
            self.weights.data[slot.at.clone()]
                .iter()
                .map(|x| f64::from(*x))
                .collect(),
        )
    }

    fn linear(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let w = self.tensor(&format!("{name}.weight")).unwrap();
        let bias = self.tensor(&format!("{name}.bias"));
        w.chunks(x.len())
            .enumerate()
            .map(|(i, row)| {
                row.iter().zip(x).map(|(a, b)| a * b).sum::<f64>()
                    + bias.as_ref().map_or(0.0, |bias| bias[i])
            })
            .collect()
    }

    fn norm(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let Some(w) = self.tensor(&format!("{name}.weight")) else {
            return x.to_vec();
        };
        let mean = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
        let factor = 1.0 / (mean + f64::from(self.config.rms_norm_eps)).sqrt();
        x.iter().zip(w).map(|(x, w)| x * factor * w).collect()
    }

    /// Heads of one token, normalised and with rotary embeddings.
    fn heads(&self, projection: &str, norm: &str, x: &[f64], position: usize) -> Vec<Vec<f64>> {
        let hd = self.config.head_dim;
        let turn = |head: &[f64]| {
            let mut x = self.norm(norm, head);
            for i in 0..hd / 2 {
                let angle =
                    position as f64 * self.config.rope_theta.powf(-2.0 * i as f64 / hd as f64);
                let (low, high) = (x[i], x[i + hd / 2]);
                x[i] = low * angle.cos() - high * angle.sin();
                x[i + hd / 2] = high * angle.cos() + low * angle.sin();
            }
            x
        };
        self.linear(projection, x).chunks(hd).map(turn).collect()
    }

    /// Log probabilities of all tokens after each token.
    fn run(&self, tokens: &[u32]) -> Vec<Vec<f64>> {
        let (d, hd) = (self.config.hidden_size, self.config.head_dim);
        let embed = self.tensor("model.embed_tokens.weight").unwrap();
        let mut rows: Vec<Vec<f64>> = tokens
            .iter()
            .map(|t| embed[*t as usize * d..][..d].to_vec())
            .collect();
        for layer in 0..self.config.num_hidden_layers {
            let name = |part: &str| format!("model.layers.{layer}.{part}");
            let (mut keys, mut values) = (Vec::new(), Vec::new());
            for (position, row) in rows.iter_mut().enumerate() {
                let x = self.norm(&name("input_layernorm"), row);
                let queries = self.heads(
                    &name("self_attn.q_proj"),
                    &name("self_attn.q_norm"),
                    &x,
                    position,
                );
                keys.push(self.heads(
                    &name("self_attn.k_proj"),
                    &name("self_attn.k_norm"),
                    &x,
                    position,
                ));
                values.push(self.linear(&name("self_attn.v_proj"), &x));
                let mut attended = Vec::new();
                for (h, query) in queries.iter().enumerate() {
                    let shared =
                        h / (self.config.num_attention_heads / self.config.num_key_value_heads);
                    let weights: Vec<f64> = keys
                        .iter()
                        .map(|key| {
                            key[shared]
                                .iter()
                                .zip(query)
                                .map(|(a, b)| a * b)
                                .sum::<f64>()
                        })
                        .map(|score| (score / (hd as f64).sqrt()).exp())
                        .collect();
                    let total: f64 = weights.iter().sum();
                    attended.extend((0..hd).map(|i| {
                        let mixed = weights
                            .iter()
                            .zip(&values)
                            .map(|(w, v)| w * v[shared * hd + i]);
                        mixed.sum::<f64>() / total
                    }));
                }
                let add = |row: &mut Vec<f64>, x: &[f64]| {
                    row.iter_mut().zip(x).for_each(|(r, x)| *r += x);
                };
                add(row, &self.linear(&name("self_attn.o_proj"), &attended));
                let x = self.norm(&name("post_attention_layernorm"), row);
                let gate = self.linear(&name("mlp.gate_proj"), &x);
                let up = self.linear(&name("mlp.up_proj"), &x);
                let act: Vec<f64> = gate
                    .iter()
                    .zip(up)
                    .map(|(g, u)| g / (1.0 + (-g).exp()) * u)
                    .collect();
                add(row, &self.linear(&name("mlp.down_proj"), &act));
            }
        }
        let head = if self.config.tie_word_embeddings {
            "model.embed_tokens"
        } else {
            "lm_head"
        };
        rows.iter()
            .map(|row| {
                let logits = self.linear(head, &self.norm("model.norm", row));
                let total: f64 = logits.iter().map(|x| x.exp()).sum();
                logits.iter().map(|x| x - total.ln()).collect()
            })
            .collect()
    }
}

#[test]
fn logprobs_are_those_of_the_definition() {
    let qwen3 = ModelConfig {
        vocab_size: 40,
        hidden_size: 24,
        intermediate_size: 44,
        num_hidden_layers: 2,
        num_attention_heads: 6,
        num_key_value_heads: 2,
        head_dim: 10,
        max_position_embeddings: 128,
        ..ModelConfig::tiny()
    };
    let llama = ModelConfig {
        arch: Arch::Llama,
        qk_norm: false,
        tie_word_embeddings: false,
        ..qwen3.clone()
    };
    let qwen2 = ModelConfig {
        arch: Arch::Qwen2,
        qkv_bias: true,
        ..llama.clone()
    };
    let all_biases = ModelConfig {
        o_bias: true,
        num_key_value_heads: 6,
        ..qwen2.clone()
    };
    for config in [qwen3, llama, qwen2, all_biases] {
        let mut weights = Weights::random(&config, 1);
        let mut random = Random::new(2, 3);
        for w in &mut weights.data {
            *w += random.normal(0.2);
        }
        let model = Model::new(config.clone(), &weights);
        let sequences: Vec<Vec<u32>> = [1, 2, 70, 110]
            .map(|n| (0..n).map(|_| (random.next_u64() % 40) as u32).collect())
            .to_vec();
        // All 40 tokens are the targets of each position.
        let targets: Vec<Vec<u32>> = sequences
            .iter()
            .map(|s| (0..40).cycle().take(40 * s.len()).collect())
            .collect();
        let examples: Vec<_> = sequences
            .iter()
            .zip(&targets)
            .map(|(tokens, targets)| Example {
                tokens,
                targets,
                width: 40,
            })
            .collect();
        let mut pool = TrainingPool::new(Arc::new(ThreadPool::new(2)));
        let outcome = pool.run(
            &model,
            None,
            &pack(&examples),
            GradientScope::None,
            0,
            &|_, _| None,
        );
        let got: Vec<f32> = outcome.logprobs.concat();
        let reference = Reference {
            config: &config,
            weights: &weights,
        };
        let want: Vec<f64> = sequences
            .iter()
            .flat_map(|s| reference.run(s).concat())
            .collect();
        assert_eq!(got.len(), want.len());
        let off = got
            .iter()
            .zip(&want)
            .map(|(g, w)| (f64::from(*g) - w).abs())
            .fold(0.0, f64::max);
        assert!(off < 2e-5, "{:?}: {off:e}", config.arch);
    }
}
