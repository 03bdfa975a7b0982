//! Reinforcement learning with a reward of the caller, in an engine of this process.

use tinker_client::{LoraConfig, ServiceClient};
use tinker_data::{Prompt, Renderer};
use tinker_local::LocalEngine;
use tinker_train::{Answered, Problem, Reward, Rl, RunFolder, Settings, Trainer};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let lora = LoraConfig::new(8);
    let training = service
        .create_lora_training_client("tinker-local/tiny", lora)
        .await?;
    let prompt = Prompt::Text("word: river stone ->".to_owned());
    let problem = Problem::encode(&Renderer::plain(), &prompt, String::new(), Vec::new());
    let shorter = |one: Answered| -(one.answer.len() as f64);
    let reward =
        Reward::from_fn(
            move |answers| async move { Ok(answers.into_iter().map(shorter).collect()) },
        );
    let mut recipe = Rl::new(
        vec![problem.map_err(|error| error.to_string())?],
        Renderer::plain(),
        reward,
        1,
        0,
    )?;
    recipe.max_tokens = 16;
    let folder = std::env::temp_dir().join(format!("rewards-{}", std::process::id()));
    let mut run = RunFolder::create(&folder, &"one prompt")?;
    let trainer = Trainer::new(Settings::new(3, 1e-3));
    trainer
        .run(&training, &recipe, &mut run, &mut |_| ())
        .await?;
    assert!(run.rows()?.iter().all(|row| row.metric("reward").is_some()));
    Ok(std::fs::remove_dir_all(folder)?)
}
