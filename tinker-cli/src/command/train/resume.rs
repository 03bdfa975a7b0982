//! `tinker train resume`: continues a run from its folder.

use std::path::PathBuf;

use tinker_train::RunFolder;

use super::continued::{Continued, Settings};
use super::given::Given;
use super::recipe_file::RecipeFile;
use super::resolve::load;
use super::run::run as train;
use super::run_args::{Limit, RunArgs};
use super::run_folder::{RECIPE, SUMMARY, folder_error};
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
  tinker train resume runs/chats --allow-changes
  tinker train resume runs/chats --budget 4h")]
pub(super) struct Args {
    /// Folder of the run.
    #[arg(value_name = "RUN", add = crate::completion::run_folders())]
    run: PathBuf,
    /// Continue even if the data files or the model have changed.
    #[arg(long)]
    allow_changes: bool,
    #[command(flatten)]
    budget: BudgetArgs,
}

/// A new budget of a run.
#[derive(Debug, clap::Args)]
struct BudgetArgs {
    /// Another budget for the whole run, with the steps that are done: 4h, 6Mtok or 9usd.
    #[arg(long, value_name = "BUDGET")]
    budget: Option<Limit>,
    /// Another file with the prices of models.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
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
    let file = args.run.join(RECIPE);
    if !file.exists() {
        let message = format!(
            "{} is missing: the run was written by a version whose runs cannot be continued this way",
            file.display()
        );
        return Err(Usage(message).into());
    }
    let file = RecipeFile::read(&file)?;
    let (saved, begun) = (folder.rewind()?, folder.begun());
    let from = match &saved {
        Some(saved) => format!("from step {}, {}", saved.step, saved.path),
        None => "from its start, as no checkpoint was saved".to_owned(),
    };
    context.printer.print_labelled("continue", &from);
    let (step, path) = saved.map_or((0, None), |saved| {
        (saved.step, Some(saved.path.to_string()))
    });
    let continued = Some(Continued {
        folder,
        settings,
        allow_changes: args.allow_changes,
    });
    // A run that takes only the weights of its start takes the whole state of its own checkpoints.
    let is_start = step == begun;
    match file.recipe().as_deref() {
        None | Some("supervised") => {
            let (mut parsed, given, context) = load::<args::Args>("supervised", &file, context)?;
            (parsed.resume, parsed.first_step) = (path, step);
            parsed.output = Some(args.run);
            args.budget.apply(&mut parsed.run, given, is_start);
            Box::pin(train(parsed, continued, &context)).await
        }
        Some("dpo") => {
            let (mut parsed, given, context) = load::<dpo::Args>("dpo", &file, context)?;
            (parsed.common.resume, parsed.common.output) = (path, Some(args.run));
            args.budget.apply(&mut parsed.common.run, given, is_start);
            Box::pin(dpo::run(parsed, continued, &context)).await
        }
        Some("rl") => {
            let (mut parsed, given, context) = load::<rl::Args>("rl", &file, context)?;
            (parsed.common.resume, parsed.common.output) = (path, Some(args.run));
            args.budget.apply(&mut parsed.common.run, given, is_start);
            Box::pin(rl::run(parsed, continued, &context)).await
        }
        Some(other) => Err(Usage(format!("this version has no recipe {other:?}")).into()),
    }
}

impl BudgetArgs {
    /// Completes the options of the run.
    fn apply(self, run: &mut RunArgs, given: Given, is_start: bool) {
        run.given = given;
        run.weights_only &= is_start;
        run.branch = None;
        run.budget = self.budget.or(run.budget);
        run.prices = self.prices.or(run.prices.take());
    }
}
