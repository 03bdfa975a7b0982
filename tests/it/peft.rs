//! Adapters that `peft` wrote, in its variants: log probabilities as `peft` computes them, or a refusal by name.

use std::collections::BTreeMap;
use std::path::Path;

use tinker_client::{Datum, LoraConfig, Loss, ServiceClient};
use tinker_local::{LocalEngine, ModelFolder};

use crate::support::{Outcome, in_process};

/// Largest difference of two log probabilities.
const TOLERANCE: f32 = 1e-5;

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn service() -> Result<ServiceClient, Box<dyn std::error::Error>> {
    let model = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = model.join("../tinker-local/tests/fixtures/golden/llama3/model");
    let model = ModelFolder::new(model).with_name("llama3");
    Ok(in_process(&LocalEngine::builder().model(model).build()?)?)
}

async fn upload(
    service: &ServiceClient,
    name: &str,
) -> Result<tinker_client::CheckpointPath, Box<dyn std::error::Error>> {
    let folder = fixtures().join("peft").join(name);
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        files.insert(file.to_owned(), std::fs::read(folder.join(file))?);
    }
    let tensors = String::from_utf8_lossy(&files["adapter_model.safetensors"]).into_owned();
    let config: serde_json::Value = serde_json::from_slice(&files["adapter_config.json"])?;
    let ranks = config["rank_pattern"].as_object().into_iter().flatten();
    let ranks = ranks
        .filter_map(|(_, rank)| rank.as_u64())
        .chain(config["r"].as_u64());
    let mut lora = LoraConfig::new(ranks.max().unwrap_or(1) as u32);
    lora.train_attn = tensors.contains(".self_attn.");
    lora.train_mlp = tensors.contains(".mlp.");
    lora.train_unembed = tensors.contains("lm_head");
    let files = files.into_iter();
    let files = files.map(|(name, bytes)| (name, bytes.into())).collect();
    Ok(service.checkpoints().upload("llama3", lora, files).await?)
}

fn cases() -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    let text = std::fs::read(fixtures().join("peft/cases.json"))?;
    Ok(serde_json::from_slice(&text)?)
}

#[tokio::test]
async fn every_variant_has_the_log_probabilities_of_peft() -> Outcome {
    let cases = cases()?;
    let tokens: Vec<u32> = serde_json::from_value(cases["tokens"].clone())?;
    let data = vec![Datum::supervised(&tokens[..1], &tokens[1..])];
    let service = service()?;
    for (name, expected) in cases["loaded"].as_object().into_iter().flatten() {
        let expected: Vec<f32> = serde_json::from_value(expected.clone())?;
        let path = upload(&service, name).await?;
        let training = service.create_training_client_from_state(&path).await?;
        let output = training
            .forward(data.clone(), Loss::cross_entropy())
            .await?;
        let found = output.logprobs(0).unwrap_or_default().to_vec();
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found - expected).abs() <= TOLERANCE,
                "{name}: {found} instead of {expected}"
            );
        }
        assert_eq!(found.len(), expected.len(), "{name}");
        // Out and in again: the same bits.
        let saved = training.save_state("again").await?.path;
        let again = service.create_training_client_from_state(&saved).await?;
        let output = again.forward(data.clone(), Loss::cross_entropy()).await?;
        let same = output.logprobs(0).unwrap_or_default().to_vec();
        assert_eq!(found, same, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_loaded_is_refused_by_name() -> Outcome {
    let service = service()?;
    for (name, field) in cases()?["refused"].as_object().into_iter().flatten() {
        let refused = upload(&service, name).await.expect_err(name).to_string();
        let field = field.as_str().unwrap_or_default();
        assert!(refused.contains(field), "{name}: {refused}");
    }
    Ok(())
}
