//! `tinker checkpoint`: stored checkpoints.

mod card;
mod change;
mod delete;
mod download;
mod import;
mod listed;
mod push;
mod search;

use crate::connect::ServiceArgs;
use crate::context::Context;
use crate::interrupt::stoppable;

/// Show, share, copy and delete checkpoints.
///
/// A CHECKPOINT is an address (`tinker://RUN/weights/NAME`); or the id of a run, the folder that `tinker train` wrote, or
/// `latest`, for the newest checkpoint of that run.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns: path, id, type, size, created, expires, public, run, model, and meta.KEY.

Examples:
  tinker checkpoint list --run latest
  tinker checkpoint list --filter type=sampler --filter 'created<30d' --sort -size
  tinker checkpoint list --limit 0 --json > checkpoints.jsonl
  tinker checkpoint list --run latest --watch
  tinker checkpoint info tinker://RUN/weights/final
  tinker checkpoint search --base-model Qwen/Qwen3-8B --type sampler
  tinker checkpoint download latest --output my-adapter
  tinker checkpoint push runs/chats me/chats --private
  tinker checkpoint import my-adapter --model ~/models/Qwen3-0.6B
  tinker checkpoint ttl tinker://RUN/weights/step-100 --ttl 7d
  tinker checkpoint delete --run RUN --filter type=training --dry-run
  tinker checkpoint delete --all --filter 'created<90d' --yes")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List checkpoints of all runs, or of one.
    List(listed::ListCheckpointsArgs),
    /// Show one checkpoint.
    Info {
        /// The checkpoint.
        #[arg(add = crate::completion::checkpoints())]
        checkpoint: String,
        #[command(flatten)]
        service: ServiceArgs,
    },
    /// Search checkpoints by project, base model, type, metadata or owner. Needs a server of a newer version of the API.
    Search(Box<search::Args>),
    /// Fetch a checkpoint as a PEFT folder. An interrupted transfer continues with the next call.
    Download(download::Args),
    /// Push the adapter of a checkpoint to the Hugging Face Hub, with a model card.
    Push(Box<push::Args>),
    /// Upload an adapter of another program as a checkpoint.
    Import(import::Args),
    /// Let all users read checkpoints.
    Publish(change::Args),
    /// Make public checkpoints private again.
    Unpublish(change::Args),
    /// Set when checkpoints are deleted.
    #[command(alias = "set-ttl")]
    Ttl(change::TtlArgs),
    /// Copy a checkpoint into a project.
    Copy(change::CopyArgs),
    /// Delete checkpoints. This cannot be undone.
    Delete(delete::Args),
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.action {
        Action::List(args) => stoppable(&context.interrupt, listed::list(args, context)).await,
        Action::Info {
            checkpoint,
            service,
        } => {
            stoppable(
                &context.interrupt,
                listed::info(&checkpoint, &service, context),
            )
            .await
        }
        Action::Search(args) => stoppable(&context.interrupt, search::run(*args, context)).await,
        Action::Download(args) => Box::pin(download::run(args, context)).await,
        Action::Push(args) => Box::pin(push::run(*args, context)).await,
        Action::Import(args) => stoppable(&context.interrupt, import::run(args, context)).await,
        Action::Publish(args) => change::publish(args, true, context).await,
        Action::Unpublish(args) => change::publish(args, false, context).await,
        Action::Ttl(args) => change::set_ttl(args, context).await,
        Action::Copy(args) => stoppable(&context.interrupt, change::copy(args, context)).await,
        Action::Delete(args) => Box::pin(delete::run(args, context)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::check;

    #[test]
    fn results_have_the_schemas_in_the_tree() {
        check::<tinker_types::Checkpoint>("checkpoint-list");
        check::<listed::Details>("checkpoint-info");
        check::<delete::Outcome>("checkpoint-delete");
        check::<change::Changed>("checkpoint-change");
        check::<change::Copied>("checkpoint-copy");
        check::<download::Fetched>("checkpoint-download");
        check::<import::Imported>("checkpoint-import");
        check::<push::Report>("checkpoint-push");
    }
}
