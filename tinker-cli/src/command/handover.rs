//! `tinker handover`: continues a run of the built-in engine on a server.

mod source;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;
use serde::Serialize;
use tinker_client::{Error, ServiceClient};
use tinker_local::{ExportTarget, SavedAdapter};
use tinker_types::{CheckpointPath, Endpoint as _, StartWeightsUpload};

use crate::command::export::{Dtype, write_merged};
use crate::command::train::Adapter;
use crate::connect::{Connection, Server, ServerArgs, engine};
use crate::context::Context;
use crate::exit::Usage;
use crate::format::shell_word;
use crate::report::Printable;
use crate::style::{STRONG, TerminalStyle, paint};
use source::Source;

/// Note about the optimizer.
const NOT_CARRIED: &str = "the state of the optimizer is not carried over: the loss of the first step is that of the local run, later ones may \
     differ";

/// Continue a run of the built-in engine on a server.
///
/// The adapter is uploaded where the server takes uploads. For other servers the adapter is merged into its base model,
/// and the folder is the base model of a new run. Prints the command that continues the run, with its settings.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker handover runs/chats-20261130-101500 --to http://gpu-1:8700
  tinker handover runs/chats-20261130-101500 --to skyrl --out merged
  tinker handover tinker://RUN/weights/step-000100 --to http://gpu-1:8700")]
pub(crate) struct Args {
    /// Folder of the run, or one of its checkpoints.
    #[arg(value_name = "RUN|CHECKPOINT", add = crate::completion::run_folders())]
    source: String,
    /// Address or name of the server.
    #[arg(long, value_name = "URL|NAME")]
    to: String,
    /// The way [default: upload where the server takes it, else merged].
    #[arg(long = "as", value_name = "WAY", value_enum)]
    way: Option<Way>,
    /// Name of the checkpoint of a run folder [default: the last one].
    #[arg(long, value_name = "NAME")]
    checkpoint: Option<String>,
    /// Name of the base model on the server [default: as here].
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// Folder to write the merged model or the adapter to [default: merged-NAME or adapter-NAME].
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Precision of merged weights [default: that of the base model].
    #[arg(long, value_name = "DTYPE")]
    dtype: Option<Dtype>,
    /// Replace an earlier export in the folder.
    #[arg(long)]
    force: bool,
    /// Folder of checkpoints [default: ~/.tinker/local].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Ways to bring an adapter to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum Way {
    /// Upload the adapter.
    Upload,
    /// Merge the adapter into the base model, as the base model of the server.
    Merged,
    /// Write the adapter as a PEFT folder, for a server that documents a place for adapters. Not tested.
    Peft,
}

/// The result, and how to continue.
#[derive(Debug, Serialize)]
struct Answer {
    way: Way,
    from: String,
    /// Steps in the checkpoint, if they are known.
    steps_done: Option<usize>,
    to: String,
    /// The uploaded checkpoint.
    checkpoint: Option<String>,
    /// The folder that was written.
    folder: Option<String>,
    /// Command that prints how the server is started with the folder.
    start: Option<String>,
    /// Command that continues the run.
    next: Option<String>,
    notes: Vec<String>,
}

impl Printable for Answer {
    fn to_text(&self, _: TerminalStyle) -> String {
        let mut text = match (&self.checkpoint, &self.folder) {
            (Some(checkpoint), _) => {
                format!("{} is on {} as\n  {checkpoint}\n", self.from, self.to)
            }
            (_, Some(folder)) => format!("{} was written to\n  {folder}\n", self.from),
            _ => String::new(),
        };
        for (purpose, command) in [
            ("start the server with it", &self.start),
            ("continue", &self.next),
        ] {
            if let Some(command) = command {
                text += &format!("\n{purpose}\n  {}\n", paint(STRONG, command));
            }
        }
        let notes = self.notes.iter().map(|note| format!("\n- {note}"));
        text + &notes.collect::<String>() + "\n"
    }
}

/// Hands over.
pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let source = Source::read(&args.source, args.checkpoint.as_deref())?;
    let server = ServerArgs::of_target(&args.to).named()?;
    let server = server.ok_or_else(|| Usage(format!("--to {:?}: names no server", args.to)))?;
    let data_dir = engine::data_dir(args.data_dir.as_deref())?;
    let saved = SavedAdapter::open(&data_dir, &source.checkpoint)?;
    let handover = Handover {
        args: &args,
        context,
        source: &source,
        server: &server,
        saved: &saved,
    };
    let way = args.way.or_else(|| handover.known_way());
    handover.refuse_options_without_effect(way)?;
    let answer = match way {
        Some(Way::Upload) => Box::pin(handover.upload()).await?,
        Some(way) => handover.write(way)?,
        None => match Box::pin(handover.upload()).await {
            Err(error) if is_not_offered(&error) => {
                let shown = server.config.shown_base_url();
                let note = format!("{shown} takes no uploads: merging into the base model");
                context.printer.print_note(&note);
                handover.write(Way::Merged)?
            }
            result => result?,
        },
    };
    context.report.print(&answer)
}

struct Handover<'a> {
    args: &'a Args,
    context: &'a Context,
    source: &'a Source,
    server: &'a Server,
    saved: &'a SavedAdapter,
}

impl Handover<'_> {
    /// The way of a server with a profile; `None` if the server has to be asked.
    fn known_way(&self) -> Option<Way> {
        let row = self.server.row?;
        Some(if row.takes_uploads {
            Way::Upload
        } else {
            Way::Merged
        })
    }

    /// Refuses typed options that have no effect. Where the server decides, options of either way may have one.
    fn refuse_options_without_effect(&self, way: Option<Way>) -> Result<(), Usage> {
        let options: &[&str] = match way {
            None => &[],
            Some(Way::Upload) => &["--out", "--dtype", "--force"],
            Some(Way::Merged) => &["--model"],
            Some(Way::Peft) => &["--model", "--dtype"],
        };
        match options.iter().find(|option| self.context.has_typed(option)) {
            Some(option) => Err(Usage(format!(
                "{option} has no effect on this way to {}; leave it out",
                self.server.config.shown_base_url()
            ))),
            None => Ok(()),
        }
    }

    async fn upload(&self) -> anyhow::Result<Answer> {
        let shown = self.server.config.shown_base_url();
        let service = ServiceClient::new(self.server.config.clone())?;
        let _narration = Connection::watch(&service, &shown, self.context.printer);
        let base = self.args.model.as_deref();
        let base = base.unwrap_or_else(|| self.saved.base_model());
        let files = self.saved.to_peft()?.into_iter();
        let files = files.map(|(name, bytes)| (name, bytes.into())).collect();
        let checkpoints = service.checkpoints();
        let upload = checkpoints.upload(base, self.saved.lora_config(), files);
        let uploaded = match upload.await {
            Ok(uploaded) => uploaded,
            Err(error) => {
                let error = error.into();
                if !is_not_offered(&error) {
                    check_model(&service, &shown, base).await?;
                }
                return Err(error);
            }
        };
        let next = Some(self.next(Some(&uploaded), base));
        Ok(self.answer(Way::Upload, Some(&uploaded), None, None, next))
    }

    fn write(&self, way: Way) -> anyhow::Result<Answer> {
        let args = self.args;
        let name = self.source.checkpoint.name();
        let (prefix, is_merged) = match way {
            Way::Merged => ("merged", true),
            _ => ("adapter", false),
        };
        let row = self.server.row;
        if let Some(row) = row.filter(|row| is_merged && !row.takes_folder) {
            let message = format!(
                "no way is known to bring an adapter to {}; --as merged or --as peft writes the files",
                row.title
            );
            if args.way.is_none() {
                return Err(Usage(message).into());
            }
        }
        let out = args.out.clone();
        let out = out.unwrap_or_else(|| PathBuf::from(format!("{prefix}-{name}")));
        let output = ExportTarget::new(&out).replacing(args.force);
        let written = if is_merged {
            write_merged(self.saved, None, args.dtype, &output)
        } else {
            self.saved.write_peft(&output)
        };
        let folder = written
            .with_context(|| format!("cannot write {}", out.display()))?
            .folder;
        let folder = std::fs::canonicalize(&folder).unwrap_or(folder);
        let start = row
            .filter(|row| is_merged && !row.start.is_empty())
            .map(|row| {
                let words = ["serve", "plan", "--server", row.name, "--model"];
                self.command(&words.map(str::to_owned), &folder.display().to_string())
            });
        let next = is_merged.then(|| self.next(None, &folder.display().to_string()));
        Ok(self.answer(way, None, Some(&folder), start, next))
    }

    fn command(&self, words: &[String], last: &str) -> String {
        let words = words.iter().map(String::as_str).chain([last]);
        let words: Vec<_> = words.map(shell_word).collect();
        format!("{} {}", self.context.program, words.join(" "))
    }

    /// The command that continues the run: from an uploaded checkpoint, or with a fresh adapter on a merged base model.
    fn next(&self, uploaded: Option<&CheckpointPath>, base: &str) -> String {
        let mut words = vec!["train".to_owned(), "DATA".to_owned()];
        let option = |words: &mut Vec<String>, name: &str, value: String| {
            words.extend([name.to_owned(), value]);
        };
        if let Some((settings, _)) = &self.source.run {
            words.clone_from(&settings.command);
        }
        match (uploaded, &self.source.run) {
            (Some(path), run) => {
                option(&mut words, "--resume", path.to_string());
                if let Some((settings, done)) = run {
                    option(&mut words, "--first-step", done.to_string());
                    option(&mut words, "--steps", settings.steps.to_string());
                }
            }
            (None, run) => {
                option(&mut words, "--model", base.to_owned());
                if let Some((settings, done)) = run {
                    let left = settings.steps.saturating_sub(*done).max(1);
                    option(&mut words, "--steps", left.to_string());
                    words.extend(settings.adapter.iter().flat_map(Adapter::to_words));
                }
            }
        }
        let by_name = !self.args.to.contains(['/', ':']);
        words.push(if by_name { "--server" } else { "--base-url" }.to_owned());
        self.command(&words, &self.args.to)
    }

    fn answer(
        &self,
        way: Way,
        checkpoint: Option<&CheckpointPath>,
        folder: Option<&Path>,
        start: Option<String>,
        next: Option<String>,
    ) -> Answer {
        let mut notes = Vec::new();
        match way {
            Way::Upload => {
                notes.push(NOT_CARRIED.to_owned());
                let mut options = ["--out", "--dtype", "--force"].into_iter();
                if let Some(option) = options.find(|option| self.context.has_typed(option)) {
                    notes.push(format!("{option} had no effect, as the adapter was uploaded"));
                }
            }
            Way::Merged => {
                notes.push(
                    "the run goes on with a fresh adapter and a fresh schedule on the merged model; the server needs the folder \
                     at the same path on each of its machines"
                        .to_owned(),
                );
                if self.args.dtype != Some(Dtype::F32) {
                    notes.push(
                        "merging rounds to the precision of the base model; --dtype f32 does not"
                            .to_owned(),
                    );
                }
                if start.is_none() {
                    notes.push("start the server with the folder as its base model".to_owned());
                }
            }
            Way::Peft => notes.push(
                "not tested: put the folder where the documentation of the server has a place for adapters of PEFT"
                    .to_owned(),
            ),
        }
        match &self.source.run {
            Some((settings, done)) if *done >= settings.steps => notes.push(format!(
                "all {done} steps of the run are done; a larger --steps goes on"
            )),
            Some(_) => {}
            None => notes.push(
                "the settings of the run are not known; give its folder instead of the checkpoint, or add --steps, \
                 --first-step, --seed and so on"
                    .to_owned(),
            ),
        }
        Answer {
            way,
            from: self.source.checkpoint.to_string(),
            steps_done: self.source.run.as_ref().map(|(_, done)| *done),
            to: self.server.config.shown_base_url(),
            checkpoint: checkpoint.map(ToString::to_string),
            folder: folder.map(|folder| folder.display().to_string()),
            start,
            next,
            notes,
        }
    }
}

/// Refuses a base model that the server does not list.
async fn check_model(service: &ServiceClient, shown: &str, wanted: &str) -> anyhow::Result<()> {
    let listed = service.server_capabilities().await?.supported_models;
    let names: Vec<String> = listed
        .into_iter()
        .filter_map(|model| model.model_name)
        .collect();
    if names.is_empty() || names.iter().any(|name| name == wanted) {
        return Ok(());
    }
    let message = format!(
        "{shown} has no model {wanted:?}; it has {}; name the same base model there with --model",
        names.join(", ")
    );
    Err(Usage(message).into())
}

/// Whether the server does not have uploads.
fn is_not_offered(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<Error>();
    error.is_some_and(|error| {
        matches!(error, Error::Status(status)
            if status.operation() == StartWeightsUpload::NAME
                && matches!(status.status().as_u16(), 404 | 405 | 501))
    })
}
