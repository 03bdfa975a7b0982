//! `tinker checkpoint download`: the files of a checkpoint as a PEFT folder.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Fetched {
    #[cfg_attr(test, schemars(with = "String"))]
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
    let interrupt = &context.interrupt;
    interrupt.listen_silently()?;
    let service = args.service.open(context)?;
    let client = &service.client;
    let path = reference::checkpoint(&args.checkpoint, &[], client, context.printer);
    let path = interrupt.or_stop(path).await?;
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
    let (options, received) = options(args.parallel, context);
    let fetched = Box::pin(fetch(client, &path, &target, options, context)).await;
    if fetched
        .as_ref()
        .is_err_and(anyhow::Error::is::<Interrupted>)
    {
        let received = received.lock().unwrap_or_else(PoisonError::into_inner);
        let line = format!(
            "\nstopped: {} received; the next call continues",
            received.describe()
        );
        context.printer.print_line(&line);
    }
    let fetched = fetched?;
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

/// Received bytes and size of all files.
#[derive(Debug, Default)]
pub(super) struct Received {
    done: u64,
    total: u64,
}

impl Received {
    fn describe(&self) -> String {
        let (done, total) = (format::bytes(self.done), format::bytes(self.total));
        format!("{done} of {total}")
    }
}

pub(super) fn options(
    parallel: usize,
    context: &Context,
) -> (DownloadOptions, Arc<Mutex<Received>>) {
    let bar = Mutex::new(Progress::start(context.printer, "download", 100));
    let shared = Arc::new(Mutex::new(Received::default()));
    let received = Arc::clone(&shared);
    let options = DownloadOptions::default()
        .with_parallel(parallel)
        .with_progress(move |progress| {
            let mut received = received.lock().unwrap_or_else(PoisonError::into_inner);
            received.done = progress.all_received;
            received.total = progress.all_total.max(progress.all_received);
            let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
            let percent = (received.done * 100 / received.total.max(1)) as usize;
            bar.update(percent, &received.describe());
        });
    (options, shared)
}

/// Fetches the files. Servers of newer versions provide those of external checkpoints only: a training checkpoint is then
/// loaded into a model and exported for an hour. After a request to stop, the export and the session are still removed.
pub(super) async fn fetch(
    service: &ServiceClient,
    path: &CheckpointPath,
    target: &Path,
    options: DownloadOptions,
    context: &Context,
) -> anyhow::Result<Downloaded> {
    let checkpoints = service.checkpoints();
    let download = async |path: &CheckpointPath, options| {
        let download = async { Ok(checkpoints.download(path, target, options).await?) };
        context.interrupt.or_stop(download).await
    };
    let direct = download(path, options.clone()).await;
    let has_none = |error: &anyhow::Error| {
        matches!(error.downcast_ref(), Some(Error::Status(error))
        if matches!(error.status().as_u16(), 404 | 405 | 501) && error.detail().contains("no archives"))
    };
    if !direct.as_ref().is_err_and(has_none) || path.kind() != CheckpointKind::Training {
        return direct;
    }
    let line = "the server provides the files of exports only: loading the checkpoint and exporting it for an hour";
    context.printer.print_line(line);
    let export = async {
        let training = service.create_training_client_from_state(path).await?;
        let export = ExportOptions::new("download").with_ttl(TEMPORARY);
        let exported = training.save_weights_external(export).await?.path;
        // The model lives as long as its export is needed.
        Ok((training, exported))
    };
    let fetched = match context.interrupt.or_stop(export).await {
        Ok((_training, exported)) => {
            let fetched = download(&exported, options).await;
            if let Err(error) = checkpoints.delete(&exported).await {
                let note =
                    format!("{exported} could not be deleted ({error}); it expires in an hour");
                context.printer.print_note(&note);
            }
            fetched
        }
        Err(error) => Err(error),
    };
    let reason = match &fetched {
        Ok(_) => FinishReason::Success,
        Err(error) if error.is::<Interrupted>() => FinishReason::Interrupted,
        Err(_) => FinishReason::Errored,
    };
    if let Err(error) = service.close(reason).await {
        tracing::info!(%error, "the session could not be closed");
    }
    fetched
}
