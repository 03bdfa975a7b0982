//! The checkpoint that training starts from.

use tinker_client::{ServiceClient, TrainingClient};
use tinker_types::{CheckpointKind, CheckpointPath, ModelInfo};

use super::runner::load;
use crate::connect::{Connection, reference};
use crate::exit::Usage;
use crate::printer::Printer;

/// The value of `--resume`.
#[derive(Debug)]
pub(super) enum Start {
    /// A checkpoint, given by its address or found in a run folder.
    Checkpoint(CheckpointPath),
    /// The newest training checkpoint of a run, given by its id or as the latest one.
    Run(String),
}

impl Start {
    /// Parses the value. The runs of the service are not looked up yet.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        if CheckpointPath::is_address(text) {
            return Ok(Self::Checkpoint(training_checkpoint(text)?));
        }
        if let Some(path) = reference::of_run_folder(text, &[CheckpointKind::Training])? {
            return Ok(Self::Checkpoint(path));
        }
        if reference::can_be_run(text) {
            return Ok(Self::Run(text.to_owned()));
        }
        let what = reference::unknown(text);
        Err(Usage(format!("--resume: {what}")).into())
    }

    /// The address, or the name of the run.
    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Checkpoint(path) => path.to_string(),
            Self::Run(text) => text.clone(),
        }
    }

    /// The checkpoint. The newest one of a run is looked up, and printed.
    pub(super) async fn find(
        self,
        service: &ServiceClient,
        printer: Printer,
    ) -> anyhow::Result<CheckpointPath> {
        match self {
            Self::Checkpoint(path) => Ok(path),
            Self::Run(text) => {
                reference::checkpoint(&text, &[CheckpointKind::Training], service, printer).await
            }
        }
    }
}

/// Loads the checkpoint that a run starts from. An error tells why it is missing.
pub(super) async fn load_start(
    connection: &Connection,
    path: &CheckpointPath,
    weights_only: bool,
) -> anyhow::Result<TrainingClient> {
    match load(&connection.service, path, weights_only).await {
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
fn training_checkpoint(text: &str) -> Result<CheckpointPath, Usage> {
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
        let refused = Start::parse("missing/folder").unwrap_err();
        assert!(refused.is::<Usage>());
        assert!(refused.to_string().starts_with("--resume: "));
        assert!(matches!(Start::parse("latest").unwrap(), Start::Run(_)));
    }
}
