//! `tinker train resume`: continues a run from its folder.

use std::path::PathBuf;

use tinker_train::RunFolder;

use super::continued::{Continued, Settings};
use super::run::run as train;
use super::run_folder::{SUMMARY, folder_error};
use super::{args, dpo, rl};
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
    #[arg(value_name = "RUN", add = crate::completion::run_folders())]
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
    let saved = folder.rewind()?;
    let from = match &saved {
        Some(saved) => format!("from step {}, {}", saved.step, saved.path),
        None => "from its start, as no checkpoint was saved".to_owned(),
    };
    context.printer.print_labelled("continue", &from);
    let (step, path) = saved.map_or((0, None), |saved| {
        (saved.step, Some(saved.path.to_string()))
    });
    let words = settings.continue_command.clone();
    let recipe = settings.recipe.clone();
    let continued = Some(Continued {
        folder,
        settings,
        allow_changes: args.allow_changes,
    });
    match recipe.as_deref() {
        None | Some("supervised") => {
            let mut parsed: args::Args = parse(&words)?;
            (parsed.resume, parsed.first_step) = (path, step);
            parsed.output = Some(args.run);
            Box::pin(train(parsed, continued, context)).await
        }
        Some("dpo") => {
            let mut parsed: dpo::Args = parse(&words[1..])?;
            (parsed.common.resume, parsed.common.output) = (path, Some(args.run));
            Box::pin(dpo::run(parsed, continued, context)).await
        }
        Some("rl") => {
            let mut parsed: rl::Args = parse(&words[1..])?;
            (parsed.common.resume, parsed.common.output) = (path, Some(args.run));
            Box::pin(rl::run(parsed, continued, context)).await
        }
        Some(other) => Err(Usage(format!("this version has no recipe {other:?}")).into()),
    }
}

/// Parses the words of the command that continues a run. The first one is the name of the command.
fn parse<A: clap::Args + clap::FromArgMatches>(words: &[String]) -> anyhow::Result<A> {
    let command = A::augment_args(clap::Command::new("train"));
    let matches = command.try_get_matches_from(words)?;
    Ok(A::from_arg_matches(&matches)?)
}
