//! Trainable adapter: parameters, accumulated gradients, optimizer state.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use super::optimizer::{AdamW, norm};
use crate::backend::{
    AdamStep, AdapterSpec, AdapterState, BackendError, NamedTensor, OptimizerState,
};
use crate::kernels::{add, all_finite};
use crate::model::{AdapterLayout, Lora, ModelConfig, Slot};
use crate::random::Random;

/// An adapter in training.
#[derive(Debug)]
pub(crate) struct Adapter {
    spec: AdapterSpec,
    layout: AdapterLayout,
    data: Vec<f32>,
    grads: Vec<f32>,
    optimizer: AdamW,
    /// The parameters packed, until they change.
    packed: OnceLock<Arc<Lora>>,
    /// The part of the packed parameters that samplers share, as long as one has it and the parameters are the same.
    snapshot: Mutex<Weak<Lora>>,
}

impl Adapter {
    /// A fresh adapter. `A` is drawn as PEFT does (Kaiming uniform with `a = sqrt(5)`, which is
    /// uniform within `1 / sqrt(in)`), `B` is zero, so at first nothing changes.
    pub(crate) fn new(config: &ModelConfig, spec: &AdapterSpec) -> Result<Self, BackendError> {
        let layout = checked_layout(config, spec)?;
        let mut data = vec![0.0; layout.table.len];
        for slot in &layout.table.slots {
            if slot.name.ends_with("lora_A.weight") {
                // The random stream follows from the name: a matrix starts the same whatever else is adapted.
                let mut random = Random::new(spec.seed, name_hash(&slot.name));
                let bound = 1.0 / (slot.shape[1] as f64).sqrt();
                data[slot.at.clone()].fill_with(|| random.uniform(-bound, bound));
            }
        }
        Ok(Self::from_parts(spec.clone(), layout, data, None))
    }

    fn from_parts(
        spec: AdapterSpec,
        layout: AdapterLayout,
        data: Vec<f32>,
        optimizer: Option<AdamW>,
    ) -> Self {
        let n = data.len();
        let optimizer = optimizer.unwrap_or_else(|| AdamW::new(n));
        Self {
            spec,
            layout,
            data,
            grads: vec![0.0; n],
            optimizer,
            packed: OnceLock::new(),
            snapshot: Mutex::default(),
        }
    }

    /// Number of parameters.
    pub(crate) fn size(&self) -> usize {
        self.data.len()
    }

    /// The packed parameters. Shared; later steps do not change them.
    pub(crate) fn packed(&self) -> Arc<Lora> {
        Arc::clone(
            self.packed
                .get_or_init(|| Arc::new(Lora::new(&self.layout, &self.data))),
        )
    }

    /// The packed parameters for the forward pass alone. Shared by all who ask before the next step; later steps do not
    /// change them.
    pub(crate) fn snapshot(&self) -> Arc<Lora> {
        let mut shared = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shared.upgrade() {
            return known;
        }
        let lora = Arc::new(Lora::new(&self.layout, &self.data).without_backward());
        *shared = Arc::downgrade(&lora);
        lora
    }

    /// Adds the gradients of one batch.
    pub(crate) fn accumulate(&mut self, grads: &[f32]) {
        add(&mut self.grads, grads);
    }

    /// One AdamW step with the accumulated gradients, which are cleared. Without any it does what PyTorch does with
    /// gradients of zero: the moments decay and the weights follow their momentum. Returns the norm before clipping.
    ///
    /// # Errors
    /// Constants out of range, or numbers that are not finite; in the latter case the gradients are dropped, and weights
    /// and moments are unchanged.
    pub(crate) fn step(&mut self, c: &AdamStep) -> Result<f64, BackendError> {
        check_constants(c)?;
        let norm = norm(&self.grads);
        if !norm.is_finite() {
            self.grads.fill(0.0);
            return Err(BackendError::user(
                "the accumulated gradients are not finite, so the step was refused: they were dropped and the weights \
                 are unchanged; check the weights, advantages and logprobs of the data",
            ));
        }
        let (mut data, mut optimizer) = (self.data.clone(), self.optimizer.clone());
        optimizer.apply(&mut data, &self.grads, norm, c, &[(self.data.len(), true)]);
        self.grads.fill(0.0);
        if ![&data, &optimizer.first, &optimizer.second]
            .into_iter()
            .all(|x| all_finite(x))
        {
            return Err(BackendError::user(format!(
                "the step would leave weights that are not finite, so it was refused: the gradients were dropped \
                 and the weights are unchanged; their norm was {norm:e}, the learning rate {:e}",
                c.learning_rate
            )));
        }
        self.data = data;
        self.optimizer = optimizer;
        self.packed = OnceLock::new();
        self.snapshot = Mutex::default();
        Ok(norm)
    }

    /// A copy as plain data.
    pub(crate) fn export(&self, with_optimizer: bool) -> AdapterState {
        let all = &self.layout.table.slots;
        let is_zero = |name: &str| {
            let slot = all.iter().find(|slot| slot.name == name);
            slot.is_some_and(|slot| self.data[slot.at.clone()].iter().all(|value| *value == 0.0))
        };
        // Modules that are not adapted, see `import`.
        let slots: Vec<&Slot> = all
            .iter()
            .filter(|slot| !is_zero(&slot.name) || !is_zero(&partner(&slot.name)))
            .collect();
        let cut = |data: &[f32]| {
            slots
                .iter()
                .map(|slot| Arc::from(&data[slot.at.clone()]))
                .collect::<Vec<_>>()
        };
        let tensors = slots
            .iter()
            .zip(cut(&self.data))
            .map(|(slot, data)| NamedTensor {
                name: slot.name.clone(),
                shape: slot.shape.clone(),
                data,
            })
            .collect();
        let optimizer = with_optimizer.then(|| OptimizerState {
            step: self.optimizer.step,
            first: cut(&self.optimizer.first),
            second: cut(&self.optimizer.second),
        });
        AdapterState {
            spec: self.spec.clone(),
            alpha: self.layout.alpha,
            tensors,
            optimizer,
        }
    }

    /// An adapter from a copy, without accumulated gradients.
    pub(crate) fn import(config: &ModelConfig, state: &AdapterState) -> Result<Self, BackendError> {
        let mut layout = checked_layout(config, &state.spec)?;
        if !state.alpha.is_finite() {
            let alpha = state.alpha;
            return Err(BackendError::user(format!(
                "the adapter has lora_alpha {alpha}, which is not a finite number"
            )));
        }
        layout.alpha = state.alpha;
        let position = |name: &str| state.tensors.iter().position(|t| t.name == name);
        let known = |name: &str| layout.table.slots.iter().any(|slot| slot.name == name);
        if let Some(tensor) = state.tensors.iter().find(|t| !known(&t.name)) {
            return Err(BackendError::user(format!(
                "the adapter has a tensor {}, which its shape on this model has not",
                tensor.name
            )));
        }
        let mut data = vec![0.0; layout.table.len];
        let mut optimizer = state
            .optimizer
            .as_ref()
            .map(|o| (o, AdamW::new(layout.table.len)));
        for slot in &layout.table.slots {
            let Some(i) = position(&slot.name) else {
                if position(&partner(&slot.name)).is_some() {
                    return Err(BackendError::user(format!(
                        "the adapter has no tensor {}",
                        slot.name
                    )));
                }
                // The module is not adapted. Matrices of zeros have no effect and no gradients, so this stays so.
                continue;
            };
            let (tensor, wants) = (&state.tensors[i], &slot.shape);
            if &tensor.shape != wants {
                let (name, has) = (&slot.name, &tensor.shape);
                return Err(BackendError::user(format!(
                    "adapter tensor {name} has shape {has:?}, the model needs {wants:?}"
                )));
            }
            copy(&mut data[slot.at.clone()], Some(&tensor.data), &slot.name)?;
            if let Some((from, to)) = &mut optimizer {
                copy(
                    &mut to.first[slot.at.clone()],
                    from.first.get(i),
                    &slot.name,
                )?;
                copy(
                    &mut to.second[slot.at.clone()],
                    from.second.get(i),
                    &slot.name,
                )?;
            }
        }
        let optimizer = optimizer.map(|(from, to)| AdamW {
            step: from.step,
            ..to
        });
        Ok(Self::from_parts(
            state.spec.clone(),
            layout,
            data,
            optimizer,
        ))
    }
}

/// The other matrix of a module.
fn partner(name: &str) -> String {
    if name.contains(".lora_A.") {
        name.replace(".lora_A.", ".lora_B.")
    } else {
        name.replace(".lora_B.", ".lora_A.")
    }
}

fn copy(into: &mut [f32], from: Option<&Arc<[f32]>>, name: &str) -> Result<(), BackendError> {
    let from = from.filter(|from| from.len() == into.len());
    let Some(from) = from else {
        return Err(BackendError::user(format!(
            "the data or moments of adapter tensor {name} have the wrong length"
        )));
    };
    if !all_finite(from) {
        return Err(BackendError::user(format!(
            "adapter tensor {name} or its moments hold NaN or infinity"
        )));
    }
    into.copy_from_slice(from);
    Ok(())
}

fn checked_layout(config: &ModelConfig, spec: &AdapterSpec) -> Result<AdapterLayout, BackendError> {
    let most = config.hidden_size;
    if spec.rank == 0 || spec.rank > most {
        return Err(BackendError::user(format!(
            "LoRA rank {} is not usable; 1 to {most} are",
            spec.rank
        )));
    }
    if !(spec.attention || spec.mlp || spec.unembed) {
        return Err(BackendError::user(
            "the adapter would train nothing; set at least one of train_attn, train_mlp and train_unembed",
        ));
    }
    Ok(AdapterLayout::new(config, spec))
}

fn check_constants(c: &AdamStep) -> Result<(), BackendError> {
    let refuse = |name: &str, value: f64, rule: &str| {
        Err(BackendError::user(format!(
            "{name} is {value}; it must be {rule}"
        )))
    };
    for (name, value) in [
        ("learning_rate", c.learning_rate),
        ("eps", c.eps),
        ("weight_decay", c.weight_decay),
        ("grad_clip_norm", c.grad_clip_norm),
    ] {
        if !(value >= 0.0 && value.is_finite()) {
            return refuse(name, value, "a finite number, at least 0");
        }
    }
    for (name, value) in [("beta1", c.beta1), ("beta2", c.beta2)] {
        if !(0.0..1.0).contains(&value) {
            return refuse(name, value, "at least 0 and below 1");
        }
    }
    Ok(())
}

/// FNV-1a.
fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
