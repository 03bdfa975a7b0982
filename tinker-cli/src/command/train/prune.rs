//! `tinker train prune`: removes the checkpoints that dead runs left behind.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;
use tinker_client::CheckpointPath;
use tinker_train::{RunFolder, TrainError};

use super::run_folder::folder_error;
use crate::confirm::ConfirmArgs;
use crate::connect::ServiceArgs;
use crate::context::Context;
use crate::exit::Interrupted;
use crate::format;
use crate::report::Printable;
use crate::style::TerminalStyle;

/// Delete the checkpoints that dead runs left behind.
///
/// A run is dead if it is not finished and no process works on it. Its last checkpoint is kept, so that it can be continued;
/// --all deletes that too. Checkpoints that were requested and never acknowledged are deleted if they exist.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker train prune --dry-run
  tinker train prune runs/chats-20260101-120000 --all --yes")]
pub(super) struct PruneArgs {
    /// Folders of runs [default: all in runs/].
    #[arg(value_name = "RUN", add = crate::completion::run_folders())]
    runs: Vec<PathBuf>,
    /// Also delete the last checkpoint of each run, which then cannot be continued.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    service: ServiceArgs,
}

/// Result of the command.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    is_dry_run: bool,
    /// Checkpoints that a dry run would delete.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    selected: Vec<CheckpointPath>,
    deleted: Vec<CheckpointPath>,
    failed: Vec<Failure>,
}

#[derive(Debug, Serialize)]
struct Failure {
    tinker_path: CheckpointPath,
    error: String,
}

/// A dead run, held by this process, and what it left behind.
struct Dead {
    folder: RunFolder,
    /// Acknowledged checkpoints.
    saved: Vec<CheckpointPath>,
    /// Checkpoints that may exist.
    unacknowledged: Vec<CheckpointPath>,
}

impl Printable for Outcome {
    fn to_text(&self, _: TerminalStyle) -> String {
        let selected = self
            .selected
            .iter()
            .map(|path| format!("would delete {path}\n"));
        let deleted = self.deleted.iter().map(|path| format!("deleted {path}\n"));
        let failed = self.failed.iter();
        let failed =
            failed.map(|failure| format!("failed {}: {}\n", failure.tinker_path, failure.error));
        selected.chain(deleted).chain(failed).collect()
    }
}

/// Deletes the checkpoints.
pub(super) async fn prune(args: &PruneArgs, context: &Context) -> anyhow::Result<()> {
    let mut dead = Vec::new();
    for run in folders(args)? {
        dead.extend(of_run(&run, args, context)?);
    }
    let all = || {
        dead.iter()
            .flat_map(|dead| dead.saved.iter().chain(&dead.unacknowledged))
    };
    let count = all().count();
    let mut outcome = Outcome {
        is_dry_run: args.confirm.dry_run,
        ..Outcome::default()
    };
    if count == 0 {
        context
            .printer
            .print_line("dead runs left no checkpoints behind");
        return context.report.print(&outcome);
    }
    let shown = format!(
        "{} of {}",
        format::count(count, "checkpoint"),
        format::count(dead.len(), "dead run")
    );
    context.printer.print_labelled("delete", &shown);
    let interrupt = &context.interrupt;
    interrupt.listen_silently()?;
    let question = format!("Delete {shown}?");
    if !args.confirm.confirm(&question, interrupt).await? {
        outcome.selected = all().cloned().collect();
        return context.report.print(&outcome);
    }
    let service = args.service.open(context)?;
    let checkpoints = service.client.checkpoints();
    let mut started = 0;
    'runs: for mut dead in dead {
        let unacknowledged = dead.unacknowledged.iter().map(|path| (path, false));
        for (path, is_acknowledged) in dead
            .saved
            .iter()
            .map(|path| (path, true))
            .chain(unacknowledged)
        {
            if interrupt.is_requested() {
                break 'runs;
            }
            started += 1;
            let deletion = checkpoints.delete(path);
            match interrupt.finish(context.printer, deletion).await {
                Ok(()) => {
                    dead.folder.add_pruned(path.clone())?;
                    outcome.deleted.push(path.clone());
                }
                // It may never have existed.
                Err(error) if !is_acknowledged && is_missing(&error) => {
                    dead.folder.add_pruned(path.clone())?;
                }
                Err(error) => outcome.failed.push(Failure {
                    tinker_path: path.clone(),
                    error: format!("{error:#}"),
                }),
            }
        }
    }
    context.report.print(&outcome)?;
    anyhow::ensure!(
        outcome.failed.is_empty(),
        "{} could not be deleted; name the server of the run with --server or --base-url, or the folder of the engine with --data-dir",
        format::count(outcome.failed.len(), "checkpoint")
    );
    if started < count {
        let left = format::count(count - started, "checkpoint");
        context.printer.print_line(&format!("{left} left"));
        return Err(Interrupted.into());
    }
    Ok(())
}

fn is_missing(error: &tinker_client::Error) -> bool {
    matches!(error, tinker_client::Error::Status(status) if status.status().as_u16() == 404)
}

/// The folders of the options, or all in `runs/`.
fn folders(args: &PruneArgs) -> anyhow::Result<Vec<PathBuf>> {
    if !args.runs.is_empty() {
        return Ok(args.runs.clone());
    }
    let entries = match std::fs::read_dir("runs") {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).context("cannot read runs/"),
    };
    let mut folders = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<PathBuf>>>()?;
    folders.sort();
    Ok(folders)
}

/// A run if it is dead. One that is named on the command line has to be a run that nobody works on.
fn of_run(run: &Path, args: &PruneArgs, context: &Context) -> anyhow::Result<Option<Dead>> {
    let folder = match RunFolder::open(run) {
        Ok(folder) => folder,
        Err(TrainError::NoRun(_) | TrainError::InUse(_)) if args.runs.is_empty() => {
            return Ok(None);
        }
        Err(error) => return Err(folder_error(error)),
    };
    if folder.is_finished() {
        if !args.runs.is_empty() {
            let note = format!(
                "the run {} is finished; its checkpoints are kept",
                run.display()
            );
            context.printer.print_note(&note);
        }
        return Ok(None);
    }
    let begun = folder.begun();
    let own = folder
        .checkpoints()
        .iter()
        .filter(|saved| saved.step > begun);
    let mut saved: Vec<CheckpointPath> = own.map(|saved| saved.path.clone()).collect();
    if !args.all {
        saved.pop();
    }
    let unacknowledged = folder.unacknowledged();
    let unacknowledged: Vec<CheckpointPath> = unacknowledged
        .iter()
        .filter_map(|path| path.parse().ok())
        .collect();
    let is_empty = saved.is_empty() && unacknowledged.is_empty();
    Ok((!is_empty).then_some(Dead {
        folder,
        saved,
        unacknowledged,
    }))
}
