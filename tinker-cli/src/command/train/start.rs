//! The checkpoint that a run starts from.

use tinker_client::TrainingClient;
use tinker_types::{CheckpointKind, CheckpointPath, ModelInfo};

use super::runner::load;
use crate::connect::Connection;
use crate::exit::Usage;

/// Loads the checkpoint that a run starts from. An error tells why it is missing.
pub(super) async fn load_start(
    connection: &Connection,
    path: &CheckpointPath,
) -> anyhow::Result<TrainingClient> {
    match load(&connection.service, path).await {
        Ok(training) => Ok(training),
        Err(error) => Err(connection.explain_missing(&path.to_string(), error).await),
    }
}

/// The name of a model's base model; empty if the server does not report it.
pub(super) fn base_model(info: &ModelInfo) -> String {
    info.model_name
        .clone()
        .or_else(|| info.model_data.model_name.clone())
        .unwrap_or_default()
}

/// Parses the path of a checkpoint that training can continue from: a training checkpoint or uploaded weights.
pub(super) fn training_checkpoint(text: &str) -> Result<CheckpointPath, Usage> {
    let path: CheckpointPath = text
        .parse()
        .map_err(|error| Usage(format!("--resume: {error}")))?;
    if path.kind() != CheckpointKind::Sampler {
        return Ok(path);
    }
    Err(Usage(format!(
        "--resume: {path} holds sampling weights; training continues from tinker://RUN/weights/NAME"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_training_checkpoints_can_be_resumed() {
        assert!(training_checkpoint("tinker://r/weights/final").is_ok());
        assert!(training_checkpoint("tinker://r/external_weights/final").is_ok());
        let refused = training_checkpoint("tinker://r/sampler_weights/final").unwrap_err();
        assert!(refused.to_string().contains("holds sampling weights"));
        assert!(
            training_checkpoint("final")
                .unwrap_err()
                .to_string()
                .starts_with("--resume: ")
        );
    }
}
