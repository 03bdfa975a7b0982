//! `tinker checkpoint download`: the files of a checkpoint as a PEFT folder.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use tinker_client::{
    CheckpointPath, DownloadOptions, Downloaded, Error, ExportOptions, FinishReason, ServiceClient,
};
use tinker_types::CheckpointKind;

use crate::connect::{ServiceArgs, reference};
use crate::context::Context;
use crate::exit::{Interrupted, Usage};
use crate::format;
use crate::interrupt::Interrupt;
use crate::peft_folder::PeftFolder;
use crate::progress::Progress;
use crate::report::Printable;
use crate::style::TerminalStyle;

/// Time after which a temporary export is deleted, if this program cannot.
const TEMPORARY: Duration = Duration::from_hours(1);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The checkpoint.
    #[arg(add = crate::completion::checkpoints())]
    checkpoint: String,
    /// Folder to write [default: its run, kind and name].
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Replace the folder if it exists.
    #[arg(long)]
    force: bool,
    /// Number of files fetched at a time.
    #[arg(long, value_name = "N", default_value_t = 4)]
    parallel: usize,
    #[command(flatten)]
    service: ServiceArgs,
}

/// The fetched files.
#[derive(Debug, Serialize)]
struct Fetched {
    tinker_path: CheckpointPath,
    folder: String,
    files: Vec<String>,
    bytes: u64,
    /// Rules of the programs that serve the adapter.
    findings: Vec<String>,
}

impl Printable for Fetched {
    /// The folder alone, so that it can be used in a command.
    fn to_text(&self, _: TerminalStyle) -> String {
        format!("{}\n", self.folder)
    }
}

/// Fetches a checkpoint.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let service = args.service.open(context)?;
    let client = &service.client;
    let path = reference::checkpoint(&args.checkpoint, &[], client, context.printer).await?;
    let name = || format!("{}_{}_{}", path.run(), path.kind_str(), path.name());
    let target = args
        .output
        .unwrap_or_else(|| name().replace(['/', ':'], "_").into());
    if target.exists() && std::fs::read_dir(&target).is_ok_and(|mut files| files.next().is_some()) {
        if !args.force {
            let message = format!(
                "{} exists; choose another --output, or add --force",
                target.display()
            );
            return Err(Usage(message).into());
        }
        // Only a folder of an adapter is replaced.
        PeftFolder::open(&target).context("--force replaces adapters only")?;
        std::fs::remove_dir_all(&target)
            .with_context(|| format!("cannot replace {}", target.display()))?;
    }
    let options = options(args.parallel, context);
    let notice = "stopping; the next call continues. Ctrl-C again exits at once";
    let interrupt = Interrupt::listen(context.printer, notice)?;
    let fetched = tokio::select! {
        biased;
        () = interrupt.requested() => return Err(Interrupted.into()),
        fetched = Box::pin(fetch(client, &path, &target, options, context)) => fetched?,
    };
    let findings = match PeftFolder::open(&fetched.folder) {
        Ok(adapter) => adapter.findings(),
        Err(why) => vec![format!("the files are no PEFT adapter: {why:#}")],
    };
    context
        .printer
        .print_labelled("fetched", &format::bytes(fetched.bytes));
    for finding in &findings {
        context.printer.print_note(finding);
    }
    context.report.print(&Fetched {
        tinker_path: path,
        folder: fetched.folder.display().to_string(),
        files: fetched.files,
        bytes: fetched.bytes,
        findings,
    })
}

fn options(parallel: usize, context: &Context) -> DownloadOptions {
    let bar = Progress::start(context.printer, "download", 100);
    let bar = Mutex::new(bar);
    DownloadOptions::default()
        .with_parallel(parallel)
        .with_progress(move |progress| {
            let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
            let (received, total) = (progress.all_received, progress.all_total);
            let total = total.max(received);
            let message = format!("{} of {}", format::bytes(received), format::bytes(total));
            bar.update((received * 100 / total.max(1)) as usize, &message);
        })
}

/// Fetches the files. Servers of newer versions provide those of external checkpoints only: a training checkpoint is then
/// loaded into a model and exported for an hour.
async fn fetch(
    service: &ServiceClient,
    path: &CheckpointPath,
    target: &Path,
    options: DownloadOptions,
    context: &Context,
) -> anyhow::Result<Downloaded> {
    let checkpoints = service.checkpoints();
    let direct = checkpoints.download(path, target, options.clone()).await;
    let has_none = matches!(&direct, Err(Error::Status(error))
        if matches!(error.status().as_u16(), 404 | 405 | 501) && error.detail().contains("no archives"));
    if !has_none || path.kind() != CheckpointKind::Training {
        return Ok(direct?);
    }
    let line = "the server provides the files of exports only: loading the checkpoint and exporting it for an hour";
    context.printer.print_line(line);
    let training = service.create_training_client_from_state(path).await?;
    let export = ExportOptions::new("download").with_ttl(TEMPORARY);
    let exported = training.save_weights_external(export).await?.path;
    let fetched = checkpoints.download(&exported, target, options).await;
    if let Err(error) = checkpoints.delete(&exported).await {
        let note = format!("{exported} could not be deleted ({error}); it expires in an hour");
        context.printer.print_note(&note);
    }
    let reason = if fetched.is_ok() {
        FinishReason::Success
    } else {
        FinishReason::Errored
    };
    if let Err(error) = service.close(reason).await {
        tracing::info!(%error, "the session could not be closed");
    }
    Ok(fetched?)
}
