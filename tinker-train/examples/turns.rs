//! Reinforcement learning over several turns with an environment of the caller, in an engine of this process.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tinker_client::{LoraConfig, ServiceClient};
use tinker_data::Renderer;
use tinker_local::LocalEngine;
use tinker_train::{
    Action, BoxError, Environment, Episodes, Observation, Reaction, RunFolder, Settings, Trainer,
};

/// Asks twice for a word, and rewards a different one.
struct Words(Option<String>);

impl Environment for Words {
    fn start(&mut self) -> BoxFuture<'_, Result<Observation, BoxError>> {
        async { Ok("word: river stone ->".into()) }.boxed()
    }

    fn act<'a>(&'a mut self, action: &'a Action) -> BoxFuture<'a, Result<Reaction, BoxError>> {
        async move {
            Ok(match self.0.replace(action.text.clone()) {
                None => Reaction::next("\nanother ->"),
                Some(first) => Reaction::end(f64::from(u8::from(first != action.text))),
            })
        }
        .boxed()
    }
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = LocalEngine::builtin()?;
    let service = ServiceClient::builder().leaf(engine.service()).build()?;
    let lora = LoraConfig::new(8);
    let training = service
        .create_lora_training_client("tinker-local/tiny", lora)
        .await?;
    let mut recipe = Episodes::new(1, |_| Box::new(Words(None)), Renderer::plain(), 1, 0)?;
    recipe.max_tokens = 8;
    let folder = std::env::temp_dir().join(format!("turns-{}", std::process::id()));
    let mut run = RunFolder::create(&folder, &"two turns")?;
    Trainer::new(Settings::new(3, 1e-3))
        .run(&training, &recipe, &mut run, &mut |_| ())
        .await?;
    assert!(
        run.rows()?
            .iter()
            .all(|row| row.metric("actions") == Some(2.0))
    );
    Ok(std::fs::remove_dir_all(folder)?)
}
