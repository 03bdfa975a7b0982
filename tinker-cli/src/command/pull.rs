//! `tinker pull`: models and tokenizers from the Hugging Face Hub.

#![expect(clippy::doc_markdown, reason = "doc comments of options are help text")]

use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use serde::Serialize;
use tinker_client::DownloadOptions;
use tinker_client::hub::{Hub, HubConfig, HubFiles, Pulled, Repository};

use crate::context::Context;
use crate::exit::{Interrupted, Usage};
use crate::format;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::report::Printable;
use crate::style::TerminalStyle;

/// Fetch a model or its tokenizer from the Hugging Face Hub.
///
/// Files go to the cache of Python's huggingface_hub, and files that are there already are not fetched again. An
/// interrupted transfer continues where it stopped. With HF_HUB_OFFLINE=1 nothing is sent, and what the cache holds is the
/// result. Environment: HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker pull Qwen/Qwen3-0.6B
  tinker pull meta-llama/Llama-3.1-8B-Instruct --tokenizer-only
  tinker sample --model \"$(tinker pull Qwen/Qwen3-0.6B --quiet)\" 'Once upon a time'")]
pub(crate) struct Args {
    /// Name of the model.
    #[arg(value_name = "OWNER/NAME")]
    repository: String,
    /// Branch, tag or commit.
    #[arg(long, value_name = "REVISION", default_value = "main")]
    revision: String,
    /// Fetch tokenizer, chat templates and configuration, without the weights.
    #[arg(long)]
    tokenizer_only: bool,
}

/// The fetched files.
#[derive(Debug, Serialize)]
struct Fetched {
    repository: String,
    revision: String,
    commit: String,
    folder: String,
    files: Vec<File>,
}

#[derive(Debug, Serialize)]
struct File {
    name: String,
    bytes: u64,
    /// Whether it was fetched now.
    is_new: bool,
}

impl Printable for Fetched {
    /// The folder alone, so that it can be used in a command.
    fn to_text(&self, _: TerminalStyle) -> String {
        format!("{}\n", self.folder)
    }
}

/// Fetches the files.
pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let repository: Repository = args
        .repository
        .parse()
        .map_err(|error: tinker_client::hub::HubError| Usage(error.to_string()))?;
    let hub = Hub::new(HubConfig::from_env()?)?;
    let files = if args.tokenizer_only {
        HubFiles::Tokenizer
    } else {
        HubFiles::Model
    };
    let bar = Progress::start(context.printer, "pull", 100);
    let bar = Mutex::new(bar);
    let options = DownloadOptions::default().with_progress(move |progress| {
        let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
        let (received, total) = (progress.all_received, progress.all_total);
        let total = total.max(received);
        let message = format!(
            "{} of {} MB  {}",
            megabytes(received),
            megabytes(total),
            progress.file
        );
        bar.update((received * 100 / total.max(1)) as usize, &message);
    });
    let notice = "stopping; the next call continues. Ctrl-C again exits at once";
    let interrupt = Interrupt::listen(context.printer, notice)?;
    let Pulled {
        folder,
        commit,
        files,
        ..
    } = tokio::select! {
        biased;
        () = interrupt.requested() => return Err(Interrupted.into()),
        pulled = Box::pin(hub.pull(&repository, &args.revision, files, &options)) => {
            pulled.with_context(|| format!("cannot fetch {repository}"))?
        }
    };
    drop(options);
    let (new, all) = (files.iter().filter(|file| file.is_new), files.len());
    let (count, bytes) = new.fold((0, 0), |(count, bytes), file| {
        (count + 1, bytes + file.bytes)
    });
    let fetched = format!(
        "{count} of {all} files fetched, {} bytes",
        format::number(bytes)
    );
    context.printer.print_labelled("pulled", &fetched);
    let file = |file: tinker_client::hub::PulledFile| File {
        name: file.name,
        bytes: file.bytes,
        is_new: file.is_new,
    };
    context.report.print(&Fetched {
        repository: args.repository,
        revision: args.revision,
        commit,
        folder: folder.display().to_string(),
        files: files.into_iter().map(file).collect(),
    })
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}
