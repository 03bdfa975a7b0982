//! `tinker checkpoint delete`.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use tinker_client::{CheckpointPath, ListOptions, ServiceClient};
use tinker_types::Checkpoint;

use crate::confirm::ConfirmArgs;
use crate::connect::{ServiceArgs, reference};
use crate::context::Context;
use crate::exit::{Interrupted, Usage};
use crate::format;
use crate::listing::Filters;
use crate::progress::Progress;
use crate::report::Printable;
use crate::style::TerminalStyle;

/// Number of concurrent requests.
const PARALLEL: usize = 32;
/// Number of checkpoints that the question shows.
const SHOWN: usize = 10;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(false))]
pub(super) struct Args {
    /// The checkpoints.
    #[arg(value_name = "CHECKPOINT", group = "which", add = crate::completion::checkpoints())]
    checkpoints: Vec<String>,
    /// The checkpoints of a run: its id, its folder, the address of a checkpoint, or `latest`.
    #[arg(long, value_name = "RUN", alias = "run-id", group = "which", add = crate::completion::runs())]
    run: Option<String>,
    /// The checkpoints of all runs.
    #[arg(long, group = "which", requires = "filters")]
    all: bool,
    /// Only checkpoints that fulfil a condition, such as `type=sampler` or `created<30d`. With several, all must hold.
    #[arg(
        short,
        long = "filter",
        value_name = "CONDITION",
        conflicts_with = "checkpoints"
    )]
    filters: Vec<String>,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    service: ServiceArgs,
}

/// A checkpoint to delete.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Doomed {
    #[cfg_attr(test, schemars(with = "String"))]
    tinker_path: CheckpointPath,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u64>,
}

impl From<Checkpoint> for Doomed {
    fn from(checkpoint: Checkpoint) -> Self {
        Self {
            tinker_path: checkpoint.tinker_path,
            size_bytes: checkpoint.size_bytes,
        }
    }
}

/// Result of the command.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Outcome {
    is_dry_run: bool,
    /// Checkpoints that a dry run would delete.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    selected: Vec<Doomed>,
    deleted_count: usize,
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    deleted: Vec<CheckpointPath>,
    failed: Vec<Failure>,
    /// Checkpoints that were not tried, after an interruption.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    left: Vec<CheckpointPath>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Failure {
    #[cfg_attr(test, schemars(with = "String"))]
    tinker_path: CheckpointPath,
    error: String,
}

#[derive(Debug, thiserror::Error)]
#[error("{0} could not be deleted")]
struct NotDeleted(String);

impl Printable for Outcome {
    fn to_text(&self, _: TerminalStyle) -> String {
        let selected = self.selected.iter();
        let selected = selected.map(|doomed| format!("would delete {}\n", doomed.tinker_path));
        let deleted = self.deleted.iter().map(|path| format!("deleted {path}\n"));
        let failed = self.failed.iter();
        let failed =
            failed.map(|failure| format!("failed {}: {}\n", failure.tinker_path, failure.error));
        let left = self.left.iter().map(|path| format!("left {path}\n"));
        selected.chain(deleted).chain(failed).chain(left).collect()
    }
}

/// Deletes checkpoints.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let filters = Filters::parse(&args.filters)?;
    let interrupt = &context.interrupt;
    interrupt.listen_silently()?;
    let service = args.service.open(context)?;
    let chosen = select(&args, &filters, &service.client, context);
    let mut doomed = or_nothing(interrupt.or_stop(chosen).await, context)?;
    let mut seen = BTreeSet::new();
    doomed.retain(|doomed| seen.insert(doomed.tinker_path.to_string()));
    if doomed.is_empty() {
        context.printer.print_line("no checkpoints to delete");
    } else {
        announce(&doomed, context);
    }
    let question = format!("Delete {}?", format::count(doomed.len(), "checkpoint"));
    let is_confirmed = !doomed.is_empty()
        && or_nothing(args.confirm.confirm(&question, interrupt).await, context)?;
    if !is_confirmed {
        return context.report.print(&Outcome {
            is_dry_run: args.confirm.dry_run,
            selected: doomed,
            deleted_count: 0,
            deleted: Vec::new(),
            failed: Vec::new(),
            left: Vec::new(),
        });
    }
    let paths = doomed
        .into_iter()
        .map(|doomed| doomed.tinker_path)
        .collect();
    let deletion = delete(&service.client, paths, context);
    let outcome = interrupt.finish(context.printer, deletion).await;
    context.report.print(&outcome)?;
    if interrupt.is_requested() {
        let deleted = format::count(outcome.deleted_count, "checkpoint");
        let rest = outcome.failed.len() + outcome.left.len();
        let line = format!(
            "stopped: {deleted} deleted, {} not",
            format::number(rest as u64)
        );
        context.printer.print_line(&line);
        return Err(Interrupted.into());
    }
    match outcome.failed.len() {
        0 => Ok(()),
        count => Err(NotDeleted(format::count(count, "checkpoint")).into()),
    }
}

/// Says that nothing was deleted, if a stop was requested before.
fn or_nothing<T>(result: anyhow::Result<T>, context: &Context) -> anyhow::Result<T> {
    if result.as_ref().is_err_and(anyhow::Error::is::<Interrupted>) {
        context.printer.print_line("\nstopped: nothing was deleted");
    }
    result
}

/// The checkpoints that the options name.
async fn select(
    args: &Args,
    filters: &Filters<Checkpoint>,
    service: &ServiceClient,
    context: &Context,
) -> anyhow::Result<Vec<Doomed>> {
    let checkpoints = service.checkpoints();
    if let Some(run) = &args.run {
        let run = reference::run(run, service, context.printer).await?;
        let of_run = checkpoints.list_by_run(&run).await?;
        let chosen = of_run.into_iter().filter(|found| filters.accepts(found));
        return Ok(chosen.map(Doomed::from).collect());
    }
    if args.all {
        if filters.is_empty() {
            return Err(Usage("--all needs a --filter".to_owned()).into());
        }
        let mut list = checkpoints.list(ListOptions::default().with_page_size(1000));
        let mut chosen = Vec::new();
        while let Some(found) = list.try_next().await? {
            if filters.accepts(&found) {
                chosen.push(Doomed::from(found));
            }
        }
        return Ok(chosen);
    }
    let mut chosen = Vec::new();
    for text in &args.checkpoints {
        let path = reference::checkpoint(text, &[], service, context.printer).await?;
        chosen.push(Doomed {
            tinker_path: path,
            size_bytes: None,
        });
    }
    Ok(chosen)
}

/// Shows what is about to be deleted.
fn announce(doomed: &[Doomed], context: &Context) {
    let sizes: Vec<u64> = doomed
        .iter()
        .filter_map(|doomed| doomed.size_bytes)
        .collect();
    let mut line = format::count(doomed.len(), "checkpoint");
    if !sizes.is_empty() {
        line += &format!(", {}", format::bytes(sizes.iter().sum()));
    }
    context.printer.print_labelled("delete", &line);
    for doomed in doomed.iter().take(SHOWN) {
        context
            .printer
            .print_line(&format!("    {}", doomed.tinker_path));
    }
    if doomed.len() > SHOWN {
        let more = format!(
            "    and {} more",
            format::number((doomed.len() - SHOWN) as u64)
        );
        context.printer.print_line(&more);
    }
}

/// Deletes each checkpoint, several at a time. After a request to stop, none is started.
async fn delete(service: &ServiceClient, paths: Vec<CheckpointPath>, context: &Context) -> Outcome {
    let checkpoints = service.checkpoints();
    let interrupt = &context.interrupt;
    let mut progress = Progress::start(context.printer, "delete", paths.len());
    let mut outcome = Outcome {
        is_dry_run: false,
        selected: Vec::new(),
        deleted_count: 0,
        deleted: Vec::new(),
        failed: Vec::new(),
        left: Vec::new(),
    };
    let tries = paths.into_iter().map(|path| {
        let checkpoints = &checkpoints;
        async move {
            if interrupt.is_requested() {
                return (path, None);
            }
            let result = checkpoints.delete(&path).await;
            (path, Some(result))
        }
    });
    let mut results = stream::iter(tries).buffer_unordered(PARALLEL);
    let mut done = 0;
    while let Some((tinker_path, result)) = results.next().await {
        done += 1;
        progress.update(done, "");
        match result {
            None => outcome.left.push(tinker_path),
            Some(Ok(())) => outcome.deleted.push(tinker_path),
            Some(Err(error)) => outcome.failed.push(Failure {
                tinker_path,
                error: error.to_string(),
            }),
        }
    }
    drop((results, progress));
    outcome.deleted_count = outcome.deleted.len();
    outcome
}
