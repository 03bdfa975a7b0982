//! A model packed from a file's tensors against one packed from the same numbers in f32.

use half::{bf16, f16};

use super::*;
use crate::kernels::{Kind, Stored};
use crate::model::{Arch, Slot, Weights};
use crate::random::Random;

/// A tensor source of bytes at odd addresses.
struct File {
    layout: Layout,
    kind: fn(&Slot) -> Kind,
    bytes: Vec<Vec<u8>>,
}

fn encode(kind: Kind, data: &[f32]) -> Vec<u8> {
    let numbers = data.iter().flat_map(|x| match kind {
        Kind::F32 => x.to_le_bytes().to_vec(),
        Kind::F16 => f16::from_f32(*x).to_le_bytes().to_vec(),
        Kind::Bf16 => bf16::from_f32(*x).to_le_bytes().to_vec(),
    });
    std::iter::once(0).chain(numbers).collect()
}

impl File {
    fn new(weights: &Weights, kind: fn(&Slot) -> Kind) -> Self {
        let slots = weights.layout.table.slots.iter();
        Self {
            layout: weights.layout.clone(),
            kind,
            bytes: slots
                .map(|slot| encode(kind(slot), &weights.data[slot.at.clone()]))
                .collect(),
        }
    }
}

impl TensorSource for File {
    fn tensor(&self, slot: &Slot) -> Result<Stored<'_>, BackendError> {
        let slots = &self.layout.table.slots;
        let i = slots.iter().position(|s| s == slot);
        let i = i.ok_or_else(|| BackendError::user(format!("no {}", slot.name)))?;
        Ok(Stored {
            kind: (self.kind)(slot),
            bytes: &self.bytes[i][1..],
            width: slot.shape.last().copied().unwrap_or(0),
        })
    }
}

fn config(tied: bool) -> ModelConfig {
    let mut config = ModelConfig::tiny();
    config.arch = Arch::Qwen2;
    (config.hidden_size, config.intermediate_size) = (50, 70);
    (config.vocab_size, config.num_hidden_layers) = (75, 2);
    (config.qkv_bias, config.o_bias, config.tie_word_embeddings) = (true, true, tied);
    config
}

/// Random weights that bf16 holds exactly, and f16 too.
fn weights(config: &ModelConfig) -> Weights {
    let mut weights = Weights::random(config, 4);
    let mut random = Random::new(3, 0);
    for x in &mut weights.data {
        *x = (random.unit() * 64.0 - 32.0).round() as f32 / 32.0;
    }
    weights
}

fn rows(packed: &Packed) -> Vec<f32> {
    let mut all = vec![0.0; packed.depth() * packed.columns()];
    for (p, row) in all.chunks_exact_mut(packed.columns()).enumerate() {
        packed.copy_row(p, row);
    }
    all
}

#[test]
fn every_type_of_file_gives_the_model_of_its_numbers() {
    let mixed: fn(&Slot) -> Kind = |slot| match slot.at.start % 3 {
        0 => Kind::F32,
        1 => Kind::F16,
        _ => Kind::Bf16,
    };
    for tied in [true, false] {
        let config = config(tied);
        let weights = weights(&config);
        let expected = Model::new(config.clone(), &weights);
        let kinds: [fn(&Slot) -> Kind; 4] = [|_| Kind::F32, |_| Kind::F16, |_| Kind::Bf16, mixed];
        for kind in kinds {
            let file = File::new(&weights, kind);
            let model = Model::from_tensors(config.clone(), &file, &ThreadPool::new(2)).unwrap();
            let linears = |model: &Model| {
                let mut all = vec![model.head.clone()];
                for block in model.blocks.clone() {
                    all.extend([block.qkv, block.o, block.gate_up, block.down]);
                }
                all
            };
            for (got, want) in linears(&model).iter().zip(linears(&expected)) {
                assert_eq!(rows(&got.forward), rows(&want.forward));
                assert_eq!(rows(&got.backward), rows(&want.backward));
                assert_eq!(got.bias, want.bias);
            }
            assert_eq!(rows(model.embedding()), rows(expected.embedding()));
            assert_eq!(
                rows(model.embedding()),
                weights.data[weights.layout.embed.clone()]
            );
            assert_eq!(model.norm, expected.norm);
            for (got, want) in model.blocks.iter().zip(&expected.blocks) {
                assert_eq!(
                    (&got.input_norm, &got.post_norm, &got.q_norm, &got.k_norm),
                    (
                        &want.input_norm,
                        &want.post_norm,
                        &want.q_norm,
                        &want.k_norm
                    )
                );
            }
        }
    }
}

#[test]
fn what_is_missing_is_named() {
    let config = config(false);
    let mut file = File::new(&weights(&config), |_| Kind::F32);
    file.layout.table.slots[5].name = "another".to_owned();
    let missing = Layout::new(&config).table.slots[5].name.clone();
    let error = Model::from_tensors(config, &file, &ThreadPool::new(2)).unwrap_err();
    assert_eq!(error.message(), format!("no {missing}"));
}
