//! `tinker checkpoint push`: the adapter of a checkpoint on the Hugging Face Hub.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use serde::Serialize;
use tinker_client::hub::{Hub, HubConfig, HubError, Push, Pushed, Repository};

use super::card::{Card, is_of_hub};
use super::download;
use crate::command::train::Past;
use crate::connect::{ServiceArgs, reference};
use crate::context::Context;
use crate::exit::Usage;
use crate::format;
use crate::peft_folder::{CONFIG, PeftFolder, WEIGHTS};
use crate::progress::Progress;
use crate::report::Printable;
use crate::style::TerminalStyle;

const CARD: &str = "README.md";

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The repository is made if it is missing. The token is that of `hf auth login`, or HF_TOKEN; it needs write access.
Environment: HF_HOME, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE.

Examples:
  tinker checkpoint push runs/chats me/chats --dry-run
  tinker checkpoint push runs/chats me/chats --private --license apache-2.0
  tinker checkpoint push tinker://RUN/weights/final me/chats --run runs/chats
  tinker checkpoint push my-adapter me/chats --commit-message 'Train longer'")]
pub(super) struct Args {
    /// The checkpoint, or the folder of a PEFT adapter.
    #[arg(add = crate::completion::checkpoints())]
    checkpoint: String,
    /// Repository of the Hub. Without OWNER it belongs to the account of the token.
    #[arg(value_name = "OWNER/NAME")]
    repository: String,
    /// Make a missing repository private.
    #[arg(long)]
    private: bool,
    /// Branch, made if it is missing.
    #[arg(long, value_name = "BRANCH", default_value = "main")]
    revision: String,
    /// First line of the commit message.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "Upload adapter with tinker"
    )]
    commit_message: String,
    /// Run folder that the card describes [default: CHECKPOINT, if it is one].
    #[arg(long, value_name = "DIR", add = crate::completion::run_folders())]
    run: Option<PathBuf>,
    /// Base model that the card names [default: that of the adapter].
    #[arg(short, long, value_name = "OWNER/NAME")]
    model: Option<String>,
    /// Licence of the adapter, as the Hub names it, for example apache-2.0.
    #[arg(long, value_name = "NAME")]
    license: Option<String>,
    /// Leave the card of the repository as it is.
    #[arg(long, conflicts_with_all = ["license", "model", "run"])]
    no_card: bool,
    /// Print the card and the files, and send nothing to the Hub.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

/// A push that was made, or would be.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Report {
    repository: String,
    revision: String,
    is_dry_run: bool,
    /// Page of the repository; nothing for a dry run.
    url: Option<String>,
    /// Nothing if there was nothing to commit.
    commit: Option<String>,
    files: Vec<File>,
    card: Option<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct File {
    name: String,
    bytes: u64,
    /// Whether it was sent now; nothing for a dry run.
    is_new: Option<bool>,
}

impl Printable for Report {
    /// The page alone, so that it can be used in a command; the card for a dry run.
    fn to_text(&self, _: TerminalStyle) -> String {
        match &self.url {
            Some(url) => format!("{url}\n"),
            None => self.card.clone().unwrap_or_default(),
        }
    }
}

/// Pushes an adapter.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let repository: Repository = args
        .repository
        .parse()
        .map_err(|error: HubError| Usage(error.to_string()))?;
    let hub = Hub::new(HubConfig::from_env()?)?;
    let run = args.run.clone().or_else(|| {
        let folder = Path::new(&args.checkpoint);
        reference::is_run_folder(folder).then(|| folder.to_owned())
    });
    let run = run.map(|run| Past::read(&run)).transpose()?;
    let interrupt = &context.interrupt;
    interrupt.listen_silently()?;
    let fetched = Box::pin(fetch(&args, context)).await?;
    let adapter = PeftFolder::open(fetched.folder())?;
    for finding in adapter.findings() {
        context.printer.print_note(&finding);
    }
    let mut push = Push::new(&args.commit_message)
        .with_revision(&args.revision)
        .with_private(args.private);
    for name in [CONFIG, WEIGHTS] {
        push = push.with_file(name, fetched.folder().join(name));
    }
    let card = (!args.no_card).then(|| card(&args, &adapter, run.as_ref(), context));
    if let Some(card) = &card {
        push = push.with_bytes(CARD, card.clone());
    }
    let mut report = Report {
        repository: repository.to_string(),
        revision: args.revision,
        is_dry_run: args.dry_run,
        url: None,
        commit: None,
        files: Vec::new(),
        card,
    };
    if args.dry_run {
        report.files = sizes(fetched.folder(), report.card.as_deref())?;
        fetched.remove();
        for file in &report.files {
            let line = format!("{}  {}", file.name, format::bytes(file.bytes));
            context.printer.print_labelled("would push", &line);
        }
        return context.report.print(&report);
    }
    let push = with_progress(push, context);
    let pushed = interrupt.or_stop(Box::pin(async {
        let pushed = hub.push(&repository, &push).await;
        pushed.with_context(|| format!("cannot push to {repository}"))
    }));
    let pushed = pushed.await;
    drop(push);
    fetched.remove();
    let pushed = pushed?;
    print_result(&pushed, args.private, context);
    report.url = Some(pushed.url);
    report.commit = pushed.commit;
    let file = |file: tinker_client::hub::PushedFile| File {
        name: file.name,
        bytes: file.bytes,
        is_new: Some(file.is_new),
    };
    report.files = pushed.files.into_iter().map(file).collect();
    context.report.print(&report)
}

/// The folder of an adapter.
enum Fetched {
    /// A folder of the user.
    Given(PathBuf),
    /// A folder of the cache.
    Cached(PathBuf),
}

impl Fetched {
    fn folder(&self) -> &Path {
        let (Self::Given(folder) | Self::Cached(folder)) = self;
        folder
    }

    fn remove(self) {
        if let Self::Cached(folder) = self
            && let Err(error) = std::fs::remove_dir_all(&folder)
        {
            tracing::info!(%error, "{} could not be removed", folder.display());
        }
    }
}

async fn fetch(args: &Args, context: &Context) -> anyhow::Result<Fetched> {
    let given = Path::new(&args.checkpoint);
    if given.join(CONFIG).is_file() {
        return Ok(Fetched::Given(given.to_owned()));
    }
    let service = args.service.open(context)?;
    let client = &service.client;
    let path = reference::checkpoint(&args.checkpoint, &[], client, context.printer);
    let path = context.interrupt.or_stop(path).await?;
    let cache = tinker_client::cache_folder();
    let cache =
        cache.context("the home folder is unknown, so there is no cache; set XDG_CACHE_HOME")?;
    let name = format!("{}_{}_{}", path.run(), path.kind_str(), path.name());
    let target = cache.join("push").join(name.replace(['/', ':'], "_"));
    // A complete folder is that of a call that was killed, and the checkpoint may have been replaced since.
    if target.exists() {
        let removed = std::fs::remove_dir_all(&target);
        removed.with_context(|| format!("cannot replace {}", target.display()))?;
    }
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent)
            .with_context(|| format!("cannot make {}", parent.display()))?;
    }
    let (options, _) = download::options(4, context);
    Box::pin(download::fetch(client, &path, &target, options, context)).await?;
    Ok(Fetched::Cached(target))
}

fn card(args: &Args, adapter: &PeftFolder, run: Option<&Past>, context: &Context) -> String {
    let base = args.model.as_deref().or_else(|| adapter.base_model());
    let base = base.filter(|base| is_of_hub(base));
    if base.is_none() {
        let note =
            "the base model is none of the Hub, so the card does not name it; name it with --model";
        context.printer.print_note(note);
    }
    if run.is_none() {
        let note = "the card does not describe the training; name its run folder with --run";
        context.printer.print_note(note);
    }
    let card = Card {
        repository: &args.repository,
        adapter,
        base,
        license: args.license.as_deref(),
        run,
    };
    card.to_markdown()
}

fn sizes(folder: &Path, card: Option<&str>) -> anyhow::Result<Vec<File>> {
    let mut files = Vec::new();
    if let Some(card) = card {
        files.push((CARD, card.len() as u64));
    }
    for name in [CONFIG, WEIGHTS] {
        let path = folder.join(name);
        let size = std::fs::metadata(&path);
        let size = size.with_context(|| format!("cannot read {}", path.display()))?;
        files.push((name, size.len()));
    }
    let file = |(name, bytes): (&str, u64)| File {
        name: name.to_owned(),
        bytes,
        is_new: None,
    };
    Ok(files.into_iter().map(file).collect())
}

fn with_progress(push: Push, context: &Context) -> Push {
    let bar = Mutex::new(Progress::start(context.printer, "push", 100));
    push.with_progress(move |progress| {
        let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
        let (sent, total) = (progress.sent, progress.total);
        let message = format!(
            "{} of {}  {}",
            format::bytes(sent),
            format::bytes(total),
            progress.file
        );
        bar.update((sent * 100 / total.max(1)) as usize, &message);
    })
}

fn print_result(pushed: &Pushed, private: bool, context: &Context) {
    let printer = context.printer;
    if pushed.is_new {
        let kind = if private {
            "private repository"
        } else {
            "repository"
        };
        printer.print_labelled("made", &format!("{kind} {}", pushed.url));
    } else if private {
        printer.print_note("the repository exists, and --private does not change it");
    }
    if pushed.commit.is_none() {
        printer.print_labelled("pushed", "nothing: the repository has these files");
        return;
    }
    let new = pushed.files.iter().filter(|file| file.is_new);
    let (count, bytes) = new.fold((0, 0), |(count, bytes), file| {
        (count + 1, bytes + file.bytes)
    });
    let all = pushed.files.len();
    let line = format!("{count} of {all} files sent, {}", format::bytes(bytes));
    printer.print_labelled("pushed", &line);
}
