//! `tinker train resume`: continues a run from its folder.

use std::path::PathBuf;

use clap::{Args as _, FromArgMatches as _};
use tinker_train::RunFolder;

use super::args;
use super::continued::{Continued, Settings};
use super::run::run as train;
use super::run_folder::{SUMMARY, folder_error};
use crate::context::Context;
use crate::exit::Usage;

/// Continue a run that was interrupted or killed.
///
/// Goes back to the last checkpoint of the run and does the steps after it again, in the same order and with the same
/// schedule. On the built-in engine the result is that of the uninterrupted run, to the bit.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker train resume runs/pig-latin-20260101-120000
  tinker train resume runs/chats --allow-changes")]
pub(super) struct Args {
    /// Folder of the run.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Continue even if the data files or the model have changed.
    #[arg(long)]
    allow_changes: bool,
}

/// Continues the run.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let mut folder = RunFolder::open(&args.run).map_err(folder_error)?;
    // Without a summary, the process died in the last evaluation.
    if folder.is_finished() && args.run.join(SUMMARY).exists() {
        let message = format!(
            "the run {} is finished; its result is in summary.json",
            args.run.display()
        );
        return Err(Usage(message).into());
    }
    let settings = Settings::read(&args.run)?;
    for path in folder.unacknowledged() {
        let note = format!("the server may still hold {path}, which it did not acknowledge");
        context.printer.print_note(&note);
    }
    let mut parsed = parse(&settings.continue_command)?;
    let saved = folder.rewind()?;
    let from = match &saved {
        Some(saved) => format!("from step {}, {}", saved.step, saved.path),
        None => "from its start, as no checkpoint was saved".to_owned(),
    };
    context.printer.print_labelled("continue", &from);
    parsed.resume = saved.as_ref().map(|saved| saved.path.to_string());
    parsed.first_step = saved.map_or(0, |saved| saved.step);
    parsed.output = Some(args.run);
    let continued = Continued {
        folder,
        settings,
        allow_changes: args.allow_changes,
    };
    Box::pin(train(parsed, Some(continued), context)).await
}

/// Parses words that [`super::suggest::continuation`] wrote.
fn parse(words: &[String]) -> anyhow::Result<args::Args> {
    let command = args::Args::augment_args(clap::Command::new("train"));
    let matches = command.try_get_matches_from(words)?;
    Ok(args::Args::from_arg_matches(&matches)?)
}
