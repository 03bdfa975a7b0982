//! Adapters made by other programs, in the form of the engine: one rank, one scaling, names without the adapter's name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::peft::ReadConfig;
use tinker_engine::backend::NamedTensor;

const A: &str = ".lora_A.weight";
const B: &str = ".lora_B.weight";

/// Shape of the adapter of one module.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Module {
    rank: usize,
    /// Factor of the product of its matrices.
    scale: f32,
}

/// Brings the tensors of an adapter into the form of the engine: rank `rank` everywhere, by zeros, and the scaling of the
/// configuration, by a factor of `B`. Tensors of a plain adapter are unchanged to the bit. Returns the numerator of the
/// scaling, too. Modules without tensors are not adapted.
pub(super) fn unify(
    config: &ReadConfig,
    tensors: Vec<NamedTensor>,
    rank: usize,
) -> Result<(f32, Vec<NamedTensor>), String> {
    config.check()?;
    let tensors: Vec<NamedTensor> = tensors.into_iter().map(without_adapter_name).collect();
    let modules = modules(config, &tensors)?;
    let widest = modules.values().map(|module| module.rank).max();
    if widest != Some(rank) {
        let widest = widest.map_or_else(|| "missing".to_owned(), |widest| widest.to_string());
        return Err(format!("the rank of the adapter is {widest}, not {rank}"));
    }
    let common = config.scale();
    let unified = tensors.into_iter().map(|tensor| {
        if !is_of_adapter(&tensor) {
            return Ok(tensor);
        }
        let Some((name, is_a)) = part(&tensor.name) else {
            return Err(refusal(&tensor.name));
        };
        let module = modules[name];
        let factor = if is_a || module.scale.to_bits() == common.to_bits() {
            1.0
        } else if common == 0.0 {
            return Err(format!("lora_alpha is 0, but that of {name} is not"));
        } else {
            module.scale / common
        };
        Ok(padded(tensor, is_a, module.rank, rank, factor))
    });
    let unified = unified.collect::<Result<Vec<_>, String>>()?;
    Ok((config.alpha_at(rank), unified))
}

/// `lora_A.default.weight` as `lora_A.weight`: some programs save the state dictionary of a model.
fn without_adapter_name(mut tensor: NamedTensor) -> NamedTensor {
    for matrix in [".lora_A.", ".lora_B."] {
        let long = format!("{matrix}default.weight");
        if let Some(module) = tensor.name.strip_suffix(&long) {
            tensor.name = format!("{module}{matrix}weight");
        }
    }
    tensor
}

/// The module of a tensor, and whether it is the first of its matrices.
fn part(name: &str) -> Option<(&str, bool)> {
    let a = name.strip_suffix(A).map(|module| (module, true));
    a.or_else(|| Some((name.strip_suffix(B)?, false)))
}

/// Whether a tensor belongs to the adapter. Others are copies of base weights, which the engine compares with the model.
fn is_of_adapter(tensor: &NamedTensor) -> bool {
    tensor.name.contains(".lora_")
}

/// Why a tensor of an adapter cannot be used.
fn refusal(name: &str) -> String {
    let what = if name.contains("lora_magnitude_vector") {
        "is a magnitude of DoRA"
    } else if name.contains("lora_embedding") {
        "adapts the embedding"
    } else if name.rsplit('.').next() == Some("bias") {
        "is a bias"
    } else {
        "is no matrix of a LoRA adapter"
    };
    format!(
        "the tensor {name} {what}, which cannot be loaded; train an adapter of linear modules, or merge it into the model"
    )
}

/// Rank and scaling of each module, by its name.
fn modules(
    config: &ReadConfig,
    tensors: &[NamedTensor],
) -> Result<BTreeMap<String, Module>, String> {
    let shapes: BTreeMap<&str, &[usize]> = tensors
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice()))
        .collect();
    let mut modules = BTreeMap::new();
    for tensor in tensors.iter().filter(|tensor| is_of_adapter(tensor)) {
        let (name, _) = part(&tensor.name).ok_or_else(|| refusal(&tensor.name))?;
        let shape = |suffix: &str| {
            let tensor = format!("{name}{suffix}");
            let shape = shapes.get(tensor.as_str()).copied();
            shape.ok_or_else(|| format!("the tensor {tensor} is missing"))
        };
        let (a, b) = (shape(A)?, shape(B)?);
        let (&[rank, _], &[_, same]) = (a, b) else {
            return Err(format!(
                "the matrices of {name} have the shapes {a:?} and {b:?}"
            ));
        };
        let declared = config.rank_of(name);
        if rank != declared || same != rank {
            return Err(format!(
                "{name} has the rank {rank} in {A} and {same} in {B}, but adapter_config.json declares {declared}"
            ));
        }
        let scale = config.scale_of(name, rank);
        modules.insert(name.to_owned(), Module { rank, scale });
    }
    Ok(modules)
}

/// A matrix with zeros up to a rank, times a factor.
fn padded(mut tensor: NamedTensor, is_a: bool, from: usize, to: usize, factor: f32) -> NamedTensor {
    if from == to && factor.to_bits() == 1.0_f32.to_bits() {
        return tensor;
    }
    let data: Vec<f32> = tensor.data.iter().map(|value| value * factor).collect();
    if is_a {
        let mut data = data;
        data.resize(data.len() / from.max(1) * to, 0.0);
        tensor.shape[0] = to;
        tensor.data = Arc::from(data);
    } else {
        let rows = data.chunks(from.max(1));
        let zeros = vec![0.0; to - from];
        let wide: Vec<f32> = rows
            .flat_map(|row| row.iter().chain(&zeros).copied())
            .collect();
        tensor.shape[1] = to;
        tensor.data = Arc::from(wide);
    }
    tensor
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "numbers that are exact in binary")]
mod tests {
    use super::*;

    fn tensor(name: &str, shape: [usize; 2], data: &[f32]) -> NamedTensor {
        NamedTensor {
            name: format!("base_model.model.{name}.weight"),
            shape: shape.into(),
            data: Arc::from(data),
        }
    }

    fn config(more: &str) -> ReadConfig {
        let text = format!(
            r#"{{"base_model_name_or_path": "x", "peft_type": "LORA", "r": 2, "lora_alpha": 4{more}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_module_of_another_rank_and_scaling_is_adapted() {
        let config = config(r#", "rank_pattern": {"k_proj": 1}, "alpha_pattern": {"k_proj": 6}"#);
        let tensors = vec![
            tensor("q_proj.lora_A", [2, 1], &[1.0, 2.0]),
            tensor("q_proj.lora_B", [1, 2], &[3.0, 4.0]),
            tensor("k_proj.lora_A.default", [1, 1], &[5.0]),
            tensor("k_proj.lora_B.default", [2, 1], &[1.0, 2.0]),
        ];
        let (alpha, unified) = unify(&config, tensors.clone(), 2).unwrap();
        assert_eq!(alpha, 4.0);
        assert_eq!(unified[..2], tensors[..2]);
        assert_eq!(unified[2].shape, [2, 1]);
        assert_eq!(*unified[2].data, [5.0, 0.0]);
        // Its scaling is 6 / 1 instead of 4 / 2.
        assert_eq!(*unified[3].data, [3.0, 0.0, 6.0, 0.0]);
        assert!(unified[3].name.ends_with("k_proj.lora_B.weight"));
    }

    #[test]
    fn tensors_without_a_use_are_refused() {
        for (name, why) in [
            ("q_proj.lora_magnitude_vector", "DoRA"),
            ("embed_tokens.lora_embedding_A", "adapts the embedding"),
            ("q_proj.lora_B.bias", "is no matrix"),
            ("q_proj.lora_A", "lora_B.weight is missing"),
        ] {
            let error = unify(&config(""), vec![tensor(name, [2, 1], &[0.0; 2])], 2).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let wrong = vec![
            tensor("q_proj.lora_A", [1, 1], &[1.0]),
            tensor("q_proj.lora_B", [1, 1], &[1.0]),
        ];
        assert!(
            unify(&config(""), wrong, 1)
                .unwrap_err()
                .contains("declares 2")
        );
    }
}
