//! The run to hand over: its checkpoint and its settings.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tinker_train::{CONFIG, METRICS};
use tinker_types::{CheckpointKind, CheckpointPath};

use crate::command::train::{Adapter, SUMMARY};
use crate::exit::Usage;

/// The run to hand over.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) checkpoint: CheckpointPath,
    /// The settings of the run and the number of steps in the checkpoint; `None` for a bare checkpoint.
    pub(super) run: Option<(Settings, usize)>,
}

/// Settings of a run, from its folder.
#[derive(Debug, Deserialize)]
pub(super) struct Settings {
    /// Words of the command with these settings, without the start, the checkpoint and the server.
    pub(super) command: Vec<String>,
    /// Missing if the run began from a checkpoint.
    #[serde(flatten)]
    pub(super) adapter: Option<Adapter>,
    /// Number of steps of the whole run.
    pub(super) steps: usize,
}

#[derive(Debug, Deserialize)]
struct Summary {
    steps: usize,
    checkpoint: String,
}

#[derive(Debug, Deserialize)]
struct Step {
    step: usize,
    checkpoint: Option<String>,
}

impl Source {
    /// A run folder, with its last checkpoint or the one of that name, or a checkpoint.
    pub(super) fn read(text: &str, name: Option<&str>) -> anyhow::Result<Self> {
        if !CheckpointPath::is_address(text) {
            return Self::of_folder(Path::new(text), name);
        }
        if name.is_some() {
            let message = "--checkpoint chooses a checkpoint of a run folder; leave it out";
            return Err(Usage(message.to_owned()).into());
        }
        Ok(Self {
            checkpoint: training_checkpoint(text)?,
            run: None,
        })
    }

    fn of_folder(folder: &Path, name: Option<&str>) -> anyhow::Result<Self> {
        if !folder.join(CONFIG).is_file() {
            let message = format!(
                "{} is neither a run folder nor a checkpoint; give the folder that `tinker train` printed, or \
                 tinker://RUN/weights/NAME",
                folder.display()
            );
            return Err(Usage(message).into());
        }
        let settings: Settings = read(&folder.join(CONFIG))?;
        let saved = saved(folder)?;
        let path = |text: &str| text.parse::<CheckpointPath>().ok();
        let is_wanted =
            |text: &str| name.is_none_or(|name| path(text).is_some_and(|path| path.name() == name));
        let Some((done, checkpoint)) = saved.iter().rev().find(|(_, text)| is_wanted(text)) else {
            let names = saved.iter().filter_map(|(_, text)| path(text));
            let names: Vec<String> = names.map(|path| path.name().to_owned()).collect();
            let message = match names[..] {
                [] => format!("{}: no checkpoint was saved", folder.display()),
                _ => format!(
                    "{} has no such checkpoint; it has {}",
                    folder.display(),
                    names.join(", ")
                ),
            };
            return Err(Usage(message).into());
        };
        Ok(Self {
            checkpoint: training_checkpoint(checkpoint)?,
            run: Some((settings, *done)),
        })
    }
}

/// Checkpoints of a run with their steps, in order. The summary of a finished run names the last one.
fn saved(folder: &Path) -> anyhow::Result<Vec<(usize, String)>> {
    let metrics = std::fs::read_to_string(folder.join(METRICS)).unwrap_or_default();
    let steps = metrics
        .lines()
        .filter_map(|line| serde_json::from_str::<Step>(line).ok());
    let mut saved: Vec<(usize, String)> = steps
        .filter_map(|step| Some((step.step, step.checkpoint?)))
        .collect();
    let path = folder.join(SUMMARY);
    if path.exists() {
        let Summary { steps, checkpoint } = read(&path)?;
        saved.push((steps, checkpoint));
    }
    Ok(saved)
}

fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} was not written by this version", path.display()))
}

fn training_checkpoint(text: &str) -> Result<CheckpointPath, Usage> {
    let path: CheckpointPath = text
        .parse()
        .map_err(|error: tinker_types::InvalidValue| Usage(error.to_string()))?;
    if path.kind() == CheckpointKind::Sampler {
        let message = format!(
            "{path} holds sampling weights; training continues from tinker://RUN/weights/NAME"
        );
        return Err(Usage(message));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_checkpoint_of_a_run_is_taken_or_the_one_with_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let text = folder.path().display().to_string();
        let refused = |name| Source::read(&text, name).unwrap_err().to_string();
        assert!(refused(None).contains("neither a run folder nor a checkpoint"));
        write(
            CONFIG,
            r#"{"command": ["train", "d"], "rank": 4, "steps": 9, "other": 1}"#,
        );
        assert!(refused(None).contains("no checkpoint was saved"));
        write(
            METRICS,
            "{\"step\":1}\n{\"step\":2,\"checkpoint\":\"tinker://r/weights/a\"}\n{\"step\":4,\"checkpoint\":\"tinker://r/weights/b\"}\n",
        );
        let found = |name| {
            let source = Source::read(&text, name).unwrap();
            let adapter = source.run.as_ref().unwrap().0.adapter.as_ref().unwrap();
            assert_eq!(adapter.to_words(), ["--rank", "4"]);
            (source.checkpoint.name().to_owned(), source.run.unwrap().1)
        };
        assert_eq!(found(None), ("b".to_owned(), 4));
        assert_eq!(found(Some("a")), ("a".to_owned(), 2));
        write(
            SUMMARY,
            r#"{"steps": 9, "checkpoint": "tinker://r/weights/final"}"#,
        );
        assert_eq!(found(None), ("final".to_owned(), 9));
        assert!(refused(Some("c")).contains("it has a, b, final"));
        let sampler = Source::read("tinker://r/sampler_weights/a", None);
        assert!(
            sampler
                .unwrap_err()
                .to_string()
                .contains("sampling weights")
        );
        assert!(Source::read("tinker://r/weights/a", Some("a")).is_err());
    }
}
