//! Names of runs and checkpoints on the command line: addresses, run ids, run folders, `latest`.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use tinker_client::{CheckpointPath, ListOptions, ServiceClient};
use tinker_types::{Checkpoint, CheckpointKind, ModelId};

use crate::exit::Usage;
use crate::printer::Printer;

/// The run with the newest request.
const LATEST: &str = "latest";
/// Number of listed runs among which the latest one is.
const RECENT: u64 = 100;

/// Whether a text may name a run: it is `latest`, or can be an id.
pub(crate) fn can_be_run(text: &str) -> bool {
    text == LATEST || !(text.is_empty() || text.contains(['/', '=']) || Path::new(text).is_dir())
}

/// The newest checkpoint that a run folder records, of one of these kinds; an empty list accepts all. `None` if the text
/// is not the path of a run folder.
pub(crate) fn of_run_folder(
    text: &str,
    kinds: &[CheckpointKind],
) -> anyhow::Result<Option<CheckpointPath>> {
    if !is_run_folder(Path::new(text)) {
        return Ok(None);
    }
    let mut saved = of_folder(Path::new(text))?.into_iter();
    let found = saved.find(|path| kinds.is_empty() || kinds.contains(&path.kind()));
    let message = || {
        let wanted = wanted(kinds);
        Usage(format!("{text} records no checkpoint that fits; {wanted}"))
    };
    found.map(Some).ok_or_else(|| message().into())
}

/// Whether a folder holds the records of a run. The folder of a model can hold such records as well, and is a model.
pub(crate) fn is_run_folder(folder: &Path) -> bool {
    use crate::command::train::SUMMARY;

    let has = |name: &str| folder.join(name).is_file();
    (has(tinker_train::METRICS) || has(SUMMARY))
        && !has("model.safetensors")
        && !has("model.safetensors.index.json")
}

/// The newest checkpoint of a run in a data folder of the engine, which may be in use. The run is named by its id or as
/// the latest one.
#[cfg(feature = "local")]
pub(crate) fn of_data_folder(
    text: &str,
    data_dir: &Path,
) -> anyhow::Result<Option<tinker_local::SavedAdapter>> {
    let saved = tinker_local::SavedAdapter::list(data_dir)?.into_iter();
    let mut of_run = saved.filter(|saved| text == LATEST || saved.path().run().as_str() == text);
    Ok(of_run.next())
}

/// The folder of a checkpoint's base model, as recorded; `None` for the built-in one. A folder that is gone is refused
/// with the way to name its new place.
#[cfg(feature = "local")]
pub(crate) fn base_folder(
    saved: &tinker_local::SavedAdapter,
    fix: &str,
) -> Result<Option<std::path::PathBuf>, Usage> {
    match saved.base_folder() {
        Some(folder) if !folder.is_dir() => Err(Usage(format!(
            "{} was trained on the model in {}, which is no longer there; move it back, or {fix}",
            saved.path(),
            folder.display()
        ))),
        folder => Ok(folder),
    }
}

/// The newest sampler checkpoint of a run. `None` if the service has no such run, as the text may name a model.
pub(crate) async fn sampler_of_run(
    text: &str,
    service: &ServiceClient,
    printer: Printer,
) -> anyhow::Result<Option<CheckpointPath>> {
    if text != LATEST {
        let run = ModelId::from(text);
        match service.checkpoints().list_by_run(&run).await {
            Ok(found) if !found.is_empty() => {}
            Ok(_) => return Ok(None),
            Err(error) => {
                tracing::info!(%error, "{text:?} is taken for a model");
                return Ok(None);
            }
        }
    }
    let path = checkpoint(text, &[CheckpointKind::Sampler], service, printer).await?;
    Ok(Some(path))
}

/// Parts of the summary of a run folder.
#[derive(Debug, Deserialize)]
struct Summary {
    checkpoint: String,
    sampler: Option<String>,
}

/// Parts of a row of the metrics.
#[derive(Debug, Deserialize)]
struct Step {
    checkpoint: Option<String>,
}

/// The checkpoint that a text names, of one of these kinds; an empty list accepts all. Anything but an address is
/// looked up, and the result is printed.
pub(crate) async fn checkpoint(
    text: &str,
    kinds: &[CheckpointKind],
    service: &ServiceClient,
    printer: Printer,
) -> anyhow::Result<CheckpointPath> {
    if CheckpointPath::is_address(text) {
        let path = CheckpointPath::parse_for_sampling(text);
        let path = path.map_err(|error| Usage(error.to_string()))?;
        if !kinds.is_empty() && !kinds.contains(&path.kind()) {
            return Err(Usage(format!("{path} does not fit here; {}", wanted(kinds))).into());
        }
        return Ok(path);
    }
    let is_wanted = |path: &CheckpointPath| kinds.is_empty() || kinds.contains(&path.kind());
    let path = if Path::new(text).is_dir() {
        let saved = of_folder(Path::new(text))?;
        saved.into_iter().find(is_wanted).ok_or_else(|| {
            Usage(format!(
                "{text} records no checkpoint that fits; {}",
                wanted(kinds)
            ))
        })?
    } else {
        let run = run(text, service, printer).await?;
        let found = service.checkpoints().list_by_run(&run).await;
        let mut found = found.with_context(|| unknown(text))?;
        found.retain(|checkpoint| is_wanted(&checkpoint.tinker_path));
        let newest = found
            .into_iter()
            .max_by_key(|checkpoint: &Checkpoint| checkpoint.time);
        let newest = newest.ok_or_else(|| {
            Usage(format!(
                "the run {run} has no checkpoint that fits; {}",
                wanted(kinds)
            ))
        })?;
        newest.tinker_path
    };
    printer.print_labelled("checkpoint", &path.to_string());
    Ok(path)
}

/// The run that a text names: by its id, its folder, one of its checkpoints, or as the latest one.
pub(crate) async fn run(
    text: &str,
    service: &ServiceClient,
    printer: Printer,
) -> anyhow::Result<ModelId> {
    if CheckpointPath::is_address(text) {
        let path = CheckpointPath::parse_for_sampling(text);
        return Ok(path
            .map_err(|error| Usage(error.to_string()))?
            .run()
            .clone());
    }
    if text == LATEST {
        let options = ListOptions::default().with_page_size(RECENT);
        let runs = service.runs().page(options).await?.training_runs;
        let newest = runs.into_iter().max_by_key(|run| run.last_request_time);
        let newest = newest.ok_or_else(|| {
            Usage("there are no runs yet; `tinker train DATA.jsonl` makes one".to_owned())
        })?;
        printer.print_labelled("run", newest.training_run_id.as_str());
        return Ok(newest.training_run_id);
    }
    if Path::new(text).is_dir() {
        let saved = of_folder(Path::new(text))?;
        let first = saved.first().map(|path| path.run().clone());
        let first = first.ok_or_else(|| Usage(format!("{text} records no checkpoint")))?;
        printer.print_labelled("run", first.as_str());
        return Ok(first);
    }
    if text.is_empty() || text.contains('/') {
        return Err(Usage(unknown(text)).into());
    }
    Ok(ModelId::from(text))
}

/// Says that a text names nothing.
pub(crate) fn unknown(text: &str) -> String {
    format!(
        "{text:?} is not a checkpoint (tinker://RUN/KIND/NAME), a run, a run folder or `latest`"
    )
}

fn wanted(kinds: &[CheckpointKind]) -> String {
    if kinds.is_empty() {
        return "give tinker://RUN/KIND/NAME".to_owned();
    }
    let kinds = kinds
        .iter()
        .map(|kind| format!("tinker://RUN/{}/NAME", kind.as_str()));
    format!("give {}", kinds.collect::<Vec<_>>().join(" or "))
}

/// Checkpoints that a run folder records, newest first.
fn of_folder(folder: &Path) -> anyhow::Result<Vec<CheckpointPath>> {
    use crate::command::train::SUMMARY;
    use tinker_train::METRICS;

    let mut texts = Vec::new();
    let summary = folder.join(SUMMARY);
    if let Ok(bytes) = std::fs::read(&summary) {
        let summary: Summary = serde_json::from_slice(&bytes)
            .with_context(|| format!("{} was not written by this version", summary.display()))?;
        texts.push(summary.checkpoint);
        texts.extend(summary.sampler);
    }
    let metrics = folder.join(METRICS);
    if texts.is_empty() && !metrics.exists() {
        let message = format!(
            "{} is not a run folder; give the folder that `tinker train` printed",
            folder.display()
        );
        return Err(Usage(message).into());
    }
    let metrics = std::fs::read_to_string(metrics).unwrap_or_default();
    let steps = metrics.lines().rev();
    let steps = steps.filter_map(|line| serde_json::from_str::<Step>(line).ok()?.checkpoint);
    texts.extend(steps);
    Ok(texts.iter().filter_map(|text| text.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_folder_names_its_newest_checkpoint_first() {
        let folder = tempfile::tempdir().unwrap();
        assert!(of_folder(folder.path()).unwrap_err().is::<Usage>());
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write(
            "metrics.jsonl",
            "{\"step\":1,\"checkpoint\":\"tinker://r/weights/a\"}\n{\"step\":2}\n{\"step\":3,\"checkpoint\":\"tinker://r/weights/b\"}\n{\"st",
        );
        let names = || -> Vec<String> {
            let paths = of_folder(folder.path()).unwrap();
            paths.iter().map(CheckpointPath::id).collect()
        };
        assert_eq!(names(), ["weights/b", "weights/a"]);
        write(
            "summary.json",
            r#"{"checkpoint":"tinker://r/weights/final","sampler":"tinker://r/sampler_weights/final"}"#,
        );
        assert_eq!(names()[..2], ["weights/final", "sampler_weights/final"]);
    }
}
