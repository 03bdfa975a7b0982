//! Supervised training in an engine of this process.

use tinker_client::{LoraConfig, ServiceClient};
use tinker_data::{Index, LengthLimit, ReadOptions, Renderer};
use tinker_local::LocalEngine;
use tinker_train::{RunFolder, Settings, Supervised, Trainer};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let lora = LoraConfig::new(8);
    let training = service
        .create_lora_training_client("tinker-local/tiny", lora)
        .await?;
    let mut rows = Index::new(ReadOptions::new());
    rows.add_source(
        "sky",
        &b"{\"prompt\": \"sky:\", \"completion\": \" green\"}\n"[..],
    )?;
    let examples = rows.encode(&Renderer::plain(), LengthLimit::Unknown, &|_| ())?;
    let recipe = Supervised::new(examples, 1, 0);
    let folder = std::env::temp_dir().join(format!("supervised-{}", std::process::id()));
    let mut run = RunFolder::create(&folder, &"one example")?;
    let trainer = Trainer::new(Settings::new(8, 3e-3));
    let ended = trainer
        .run(&training, &recipe, &mut run, &mut |_| ())
        .await?;
    assert_eq!(ended.steps, 8);
    let rows = run.rows()?;
    assert!(rows[7].loss < rows[0].loss, "it learns");
    Ok(std::fs::remove_dir_all(folder)?)
}
