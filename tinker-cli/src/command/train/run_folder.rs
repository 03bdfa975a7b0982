//! Files that the command adds to a run folder.

use std::path::{Path, PathBuf};

use tinker_train::{RunFolder, TrainError};

use crate::clock;
use crate::data_files::is_stdin;
use crate::exit::Usage;

/// The resolved recipe.
pub(crate) const RECIPE: &str = "recipe.toml";
/// Held-out prompts with the answers before and after training.
pub(crate) const SAMPLES: &str = "samples.json";
/// Log probabilities of `train dpo` under the starting weights, computed once.
pub(crate) const REFERENCE: &str = "reference.json";
/// Metrics of `train rl` on the held-out problems before training.
pub(crate) const BASELINE: &str = "baseline.json";
/// The result: the object that `--json` prints, without samples and metrics.
pub(crate) const SUMMARY: &str = "summary.json";
/// Plot of the loss.
pub(crate) const PLOT: &str = "loss.svg";

/// The conversation that the suggested command asks again, if options cannot express it.
pub(crate) const QUESTION: &str = "question.json";

/// All files of a finished run, apart from [`QUESTION`].
pub(crate) const FILES: [&str; 7] = [
    tinker_train::CONFIG,
    RECIPE,
    tinker_train::JOURNAL,
    tinker_train::METRICS,
    SAMPLES,
    SUMMARY,
    PLOT,
];

/// Removes the folder of a run that ended before its first step.
pub(crate) fn discard(folder: RunFolder) {
    folder.discard(&[RECIPE, SAMPLES, REFERENCE, BASELINE]);
}

/// The default folder: `runs/<data>-<time>`, with the time in UTC.
pub(crate) fn default_path(data: &Path) -> PathBuf {
    let stem = data.file_stem().unwrap_or_default().to_string_lossy();
    let stem = if is_stdin(data) { "stdin".into() } else { stem };
    Path::new("runs").join(format!("{stem}-{}", clock::now_compact()))
}

/// The folder itself, or the nearest one above it that exists.
pub(crate) fn nearest(path: &Path) -> Option<PathBuf> {
    let here = |path: &Path| {
        if path.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            path.to_owned()
        }
    };
    path.ancestors().map(here).find(|path| path.is_dir())
}

/// Turns an error about the choice of a run folder into one of the command line.
pub(crate) fn folder_error(error: TrainError) -> anyhow::Error {
    match error {
        TrainError::Taken(path) => {
            let path = path.display();
            Usage(format!("{path} already holds a run; choose another --output, or continue it with `train resume {path}`")).into()
        }
        error @ (TrainError::InUse(_) | TrainError::NoRun(_)) => Usage(error.to_string()).into(),
        error => error.into(),
    }
}
