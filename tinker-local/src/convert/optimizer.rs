//! Conversion of adapter and optimizer settings.

use tinker_types::{InvalidValue, LoraConfig, OptimStep, OptimizerConfig};

use tinker_engine::backend::{AdamStep, AdapterSpec};

/// Largest rank: beyond it an adapter is larger than the weights it adapts.
const MOST_RANK: u32 = 512;

/// The shape of a new adapter. A missing seed is drawn at random.
pub(crate) fn adapter_spec(lora: &LoraConfig) -> Result<AdapterSpec, InvalidValue> {
    lora.check().map_err(|e| e.within("lora_config"))?;
    if lora.rank > MOST_RANK {
        return Err(InvalidValue::new(
            "lora_config.rank",
            format!("is {}; {MOST_RANK} is the most", lora.rank),
        ));
    }
    Ok(AdapterSpec {
        rank: lora.rank as usize,
        seed: lora.seed.unwrap_or_else(|| fastrand::u64(..)),
        attention: lora.train_attn,
        mlp: lora.train_mlp,
        unembed: lora.train_unembed,
    })
}

/// Refuses optimizers other than AdamW.
pub(crate) fn check_family(config: &OptimizerConfig) -> Result<(), InvalidValue> {
    let family = match config {
        OptimizerConfig::AdamW => return Ok(()),
        OptimizerConfig::Dimuon { .. } => "dimuon",
        OptimizerConfig::Other(open) => &open.family,
        _ => "this one",
    };
    Err(InvalidValue::new(
        "optimizer_config.type",
        format!("{family:?} is not offered here; use \"adamw\""),
    ))
}

/// The constants of a step.
pub(crate) fn adam_step(request: &OptimStep) -> Result<AdamStep, InvalidValue> {
    let adam = match (&request.adam_params, &request.optimizer_params) {
        (Some(adam), None) => adam,
        (None, Some(open)) => {
            let why = format!(
                "{:?} is not offered here; give adam_params instead",
                open.family
            );
            return Err(InvalidValue::new("optimizer_params.type", why));
        }
        (Some(_), Some(_)) => {
            return Err(InvalidValue::new(
                "optimizer_params",
                "is given besides adam_params; give one of them",
            ));
        }
        (None, None) => return Err(InvalidValue::new("adam_params", "is missing")),
    };
    adam.check().map_err(|e| e.within("adam_params"))?;
    Ok(AdamStep {
        learning_rate: adam.learning_rate,
        beta1: adam.beta1,
        beta2: adam.beta2,
        eps: adam.eps,
        weight_decay: adam.weight_decay,
        grad_clip_norm: adam.grad_clip_norm,
    })
}
