//! Learning rates by model, where none is given.

use std::path::Path;

use serde::Deserialize;

use crate::connect::BUILT_IN_MODEL;

/// Hidden sizes of models whose rate is known, by a part of their name.
const HIDDEN_SIZES: [(&str, f64); 12] = [
    ("llama-3.2-1b", 2048.0),
    ("llama-3.2-3b", 3072.0),
    ("llama-3.1-8b", 4096.0),
    ("llama-3.1-70b", 8192.0),
    ("llama-3.3-70b", 8192.0),
    ("qwen3-0.6b", 1024.0),
    ("qwen3-1.7b", 2048.0),
    ("qwen3-4b", 2560.0),
    ("qwen3-8b", 4096.0),
    ("qwen3-14b", 5120.0),
    ("qwen3-32b", 5120.0),
    ("qwen2.5-7b", 3584.0),
];

/// Exponents of the hidden size by family.
const EXPONENTS: [(&str, f64); 2] = [("llama", 0.781), ("qwen", 0.0775)];

/// A learning rate and the reason for it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rate {
    pub(super) value: f64,
    pub(super) why: String,
}

/// Parts of the `config.json` of a model.
#[derive(Debug, Deserialize)]
struct ModelConfig {
    model_type: String,
    hidden_size: f64,
}

impl ModelConfig {
    fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(folder.join("config.json")).ok()?;
        let config: Self = serde_json::from_str(&text).ok()?;
        (config.hidden_size > 0.0).then_some(config)
    }
}

/// The rate of supervised learning with LoRA: `5e-5 x 10 x (2000 / hidden size)^P`, as in the cookbook of the hosted service.
/// It depends neither on the rank nor on the batch. Hidden size and family are those of the model's folder, if it is on this
/// machine, else known by its name.
pub(super) fn supervised(model: &str, folder: Option<&Path>) -> Rate {
    let config = folder.and_then(ModelConfig::read);
    let (family, size) = if let Some(config) = config {
        (config.model_type, Some(config.hidden_size))
    } else {
        let name = model.to_ascii_lowercase();
        let size = HIDDEN_SIZES.iter().find(|(part, _)| name.contains(part));
        (name, size.map(|(_, size)| *size))
    };
    let exponent = EXPONENTS.iter().find(|(part, _)| family.contains(part));
    match (size, exponent) {
        _ if model == BUILT_IN_MODEL => Rate {
            value: 3e-3,
            why: "by model".to_owned(),
        },
        (Some(size), Some((_, exponent))) => Rate {
            value: rounded(5e-4 * (2000.0 / size).powf(*exponent)),
            why: format!("by model: 5e-4 x (2000 / {size})^{exponent}"),
        },
        _ => Rate {
            value: 2e-4,
            why: "default, not calibrated for this model".to_owned(),
        },
    }
}

/// The rate of a recipe with one rate for all models but the built-in one, which is small.
pub(super) fn of_recipe(model: &str, others: f64) -> Rate {
    if model == BUILT_IN_MODEL {
        Rate {
            value: 1e-3,
            why: "by model".to_owned(),
        }
    } else {
        Rate {
            value: others,
            why: "default".to_owned(),
        }
    }
}

/// Three significant digits.
fn rounded(value: f64) -> f64 {
    let scale = 10_f64.powf(2.0 - value.log10().floor());
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_cookbook() {
        for (model, expected) in [
            ("meta-llama/Llama-3.2-1B", 4.91e-4),
            ("meta-llama/Llama-3.2-3B-Instruct", 3.58e-4),
            ("meta-llama/Llama-3.1-8B", 2.86e-4),
            ("meta-llama/Llama-3.1-70B", 1.66e-4),
            ("Qwen/Qwen3-4B-Instruct-2507", 4.91e-4),
            ("Qwen/Qwen3-8B", 4.73e-4),
            ("Qwen/Qwen3-32B", 4.65e-4),
            ("other/model", 2e-4),
            (BUILT_IN_MODEL, 3e-3),
        ] {
            let rate = supervised(model, None);
            assert!((rate.value - expected).abs() < 1e-12, "{model}: {rate:?}");
        }
    }

    #[test]
    fn a_folder_says_its_size_and_family() {
        let folder = tempfile::tempdir().unwrap();
        let rate = |config: &str| {
            std::fs::write(folder.path().join("config.json"), config).unwrap();
            supervised("mine", Some(folder.path())).value
        };
        for (config, expected) in [
            (r#"{"model_type": "llama", "hidden_size": 4096}"#, 2.86e-4),
            (r#"{"model_type": "qwen3", "hidden_size": 4096}"#, 4.73e-4),
            (r#"{"model_type": "other", "hidden_size": 4096}"#, 2e-4),
            (r#"{"model_type": "llama", "hidden_size": 0}"#, 2e-4),
            ("{}", 2e-4),
        ] {
            assert!((rate(config) - expected).abs() < 1e-12, "{config}");
        }
    }
}
