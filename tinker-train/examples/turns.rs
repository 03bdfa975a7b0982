//! Reinforcement learning over several turns with an environment of the caller, in an engine of this process.

use tinker_client::{LoraConfig, ServiceClient};
use tinker_data::Renderer;
use tinker_local::LocalEngine;
use tinker_train::{Episodes, Reaction, RunFolder, Settings, Trainer, environment_from_fn};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let lora = LoraConfig::new(8);
    let training = service
        .create_lora_training_client("tinker-local/tiny", lora)
        .await?;
    // Asks twice for a word, and rewards a different one.
    let ask = |_| {
        let mut said: Option<String> = None;
        environment_from_fn("word: river stone ->", move |action| {
            Ok(match said.replace(action.text.clone()) {
                None => Reaction::next("\nanother ->"),
                Some(first) => Reaction::end(f64::from(u8::from(first != action.text))),
            })
        })
    };
    let mut recipe = Episodes::new(1, ask, Renderer::plain(), 1, 0)?;
    recipe.max_tokens = 8;
    let folder = std::env::temp_dir().join(format!("turns-{}", std::process::id()));
    let mut run = RunFolder::create(&folder, &"two turns")?;
    let trainer = Trainer::new(Settings::new(3, 1e-3));
    trainer
        .run(&training, &recipe, &mut run, &mut |_| ())
        .await?;
    let rows = run.rows()?;
    assert!(rows.iter().all(|row| row.metric("actions") == Some(2.0)));
    Ok(std::fs::remove_dir_all(folder)?)
}
